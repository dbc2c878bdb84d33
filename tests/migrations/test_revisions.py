"""Every revision, forth and back, with rows in every column."""

import re
from itertools import pairwise

import pytest
import sqlalchemy as sa

from tests.migrations.conftest import Migrate
from tests.migrations.support import (
    HEAD,
    REVISIONS,
    ROWS,
    SCRIPT,
    broken_references,
    content,
    fill,
    fill_new,
    reflected,
    revision_of,
    schema,
)


def test_every_revision_goes_forth_and_back_and_loses_only_what_it_names(migrate: Migrate, engine: sa.Engine) -> None:
    migrate("upgrade", REVISIONS[0])
    fill(engine)
    schemas = {REVISIONS[0]: schema(engine)}
    for before, revision in pairwise(REVISIONS):
        old = reflected(engine)
        held = content(engine, old)
        migrate("upgrade", "+1")
        assert revision_of(engine) == revision
        assert content(engine, old) == held, revision
        fill_new(engine, old)
        schemas[revision] = schema(engine)
        gone = {
            f"{revision}: {name}.{column.name}, {ROWS:,} values"
            for name, table in reflected(engine).items()
            for column in table.columns
            if column.name not in old[name].columns
        }

        back = migrate("downgrade", "-1")

        assert set(re.findall(r"^  (.+ values)$", back, re.MULTILINE)) == gone
        assert revision_of(engine) == before
        assert content(engine, old) == held, revision
        assert schema(engine) == schemas[before], revision
        assert broken_references(engine) == 0
        migrate("upgrade", "+1")
        assert schema(engine) == schemas[revision]
        fill_new(engine, old)
    assert revision_of(engine) == HEAD
    assert {len(rows) for rows in content(engine, reflected(engine)).values()} == {ROWS}


def test_base_to_head_and_again_is_the_same_schema(migrate: Migrate, engine: sa.Engine) -> None:
    migrate("upgrade")
    first = schema(engine)
    fill(engine, rows=3)

    back = migrate("downgrade", "base")

    for table in ("rules", "events", "rule_triggers"):
        assert f"{REVISIONS[0]}: table {table}, 3 rows" in back
    assert reflected(engine) == {}
    migrate("upgrade")
    assert schema(engine) == first
    migrate("check")


def test_rows_of_the_first_schema_survive_all_revisions_and_the_way_back(migrate: Migrate, engine: sa.Engine) -> None:
    migrate("upgrade", REVISIONS[0])
    fill(engine)
    old = reflected(engine)
    held = content(engine, old)

    migrate("upgrade", "head")
    assert content(engine, old) == held
    migrate("downgrade", REVISIONS[0])

    assert content(engine, old) == held
    assert broken_references(engine) == 0


def test_revisions_say_what_they_add(migrate: Migrate, engine: sa.Engine) -> None:
    """A downgrade names what goes from it."""
    before: dict[str, set[str]] = {}
    for revision in REVISIONS:
        migrate("upgrade", revision)
        now = {name: {column.name for column in table.columns} for name, table in reflected(engine).items()}
        added = {name: names - before.get(name, set()) for name, names in now.items()}
        said = getattr(SCRIPT.get_revision(revision).module, "ADDED", {})
        if revision == REVISIONS[0]:
            assert said == dict.fromkeys(now, ())
        else:
            assert {name: set(names) for name, names in said.items()} == {n: a for n, a in added.items() if a}
        before = now


def test_a_rules_id_is_never_used_again_whatever_is_migrated(migrate: Migrate, engine: sa.Engine) -> None:
    """The highest id ever given is not the highest that is there."""
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's sequences know nothing of migrations")
    insert = sa.text(
        "INSERT INTO rules (uuid, name, details, language, pattern, action) VALUES ('u', 'n', 'd', 'l', 'p', 'block')"
    )
    migrate("upgrade", REVISIONS[0])
    fill(engine, rows=3)
    migrate("upgrade")
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rule_triggers"))
        connection.execute(sa.text("DELETE FROM rules"))

    migrate("downgrade", "002_one_uuid_index")
    migrate("upgrade")

    with engine.begin() as connection:
        connection.execute(insert)
        assert connection.scalar(sa.text("SELECT id FROM rules")) == 8


def test_ids_that_an_older_schema_cannot_hold_stop_the_way_back(
    migrate: Migrate, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite's ids have 64 bits in every revision")
    migrate("upgrade", "010_rule_views")
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO events (id, uid, status, flow_name) VALUES (3000000000, 'u', 'allow', 'default')")
        )

    migrate("downgrade", "006_keep_evidence", fails=True)

    assert "events has ids up to 3,000,000,000" in caplog.text
    assert revision_of(engine) == "007_wide_ids"
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT id FROM events")) == 3000000000
