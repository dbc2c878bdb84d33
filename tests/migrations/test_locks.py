"""Tables that other sessions hold on PostgreSQL, and indexes that were not finished."""

import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from bastion.schema import migrating
from tests.conftest import ROOT, clean_environment
from tests.migrations.conftest import Migrate
from tests.migrations.support import BIN, HEAD, fill, revision_of, schema


@pytest.fixture
def kind() -> str:
    return "postgresql"


def test_a_held_table_is_waited_for_and_named(engine: sa.Engine, blank: str, instance: Path, migrate: Migrate) -> None:
    migrate("upgrade", "002_one_uuid_index")
    environment = clean_environment(DATABASE_URL=blank, BASTION_INSTANCE=str(instance))
    with engine.connect() as holder:
        pid = holder.scalar(sa.text("SELECT pg_backend_pid()"))
        holder.execute(sa.text("SELECT count(*) FROM rules"))
        upgrade = subprocess.Popen(
            [BIN / "flask", "db", "upgrade"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert upgrade.stdout
        said = upgrade.stdout.readline()
        # Whoever comes later does not wait behind the migration for longer than its own wait.
        with engine.connect() as later:
            later.execute(sa.text("SET statement_timeout = '60s'"))
            later.execute(sa.text("SELECT count(*) FROM rules"))
    rest = upgrade.communicate()[0]

    assert said.startswith("other sessions hold tables that this step needs, trying again: ")
    assert f"pid {pid} (bastion, idle in transaction since " in said
    assert upgrade.returncode == 0
    assert f"migrated to {HEAD}" in rest
    assert revision_of(engine) == HEAD


def test_a_table_that_is_never_free_stops_the_upgrade_where_it_was(
    engine: sa.Engine, migrate: Migrate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(migrating, "LOCK_ATTEMPTS", 1)
    migrate("upgrade", "003_rule_life")
    before = schema(engine)
    with engine.connect() as holder:
        holder.execute(sa.text("SELECT count(*) FROM events"))

        migrate("upgrade", fails=True)

    assert "other sessions hold tables that this step needs: pid" in caplog.text
    assert "run the command again" in caplog.text
    assert (revision_of(engine), schema(engine)) == ("003_rule_life", before)
    migrate("upgrade")
    assert revision_of(engine) == HEAD


def test_events_can_be_written_while_those_before_get_their_uid(
    bare_app: Flask, engine: sa.Engine, migrate: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last ones are given theirs when nobody can write any more."""
    migrate("upgrade", "003_rule_life")
    fill(engine, rows=30)
    monkeypatch.setattr("bastion.schema.batches.ROWS", 10)
    written = 0

    def write(connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal written
        if statement.startswith("UPDATE events SET uid") and "id >" in statement:
            written += 1
            with engine.begin() as other:
                other.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
                insert = sa.text("INSERT INTO events (id, status, flow_name) VALUES (:id, 'allow', 'x')")
                other.execute(insert, {"id": 5000 - written})

    sa.event.listen(sa.Engine, "before_cursor_execute", write)
    try:
        migrate("upgrade")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", write)

    assert written >= 3
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(DISTINCT uid) FROM events")) == 30 + written
    migrate("check")


def test_an_index_that_was_not_finished_is_built_anew(engine: sa.Engine, migrate: Migrate) -> None:
    """What a killed CREATE INDEX CONCURRENTLY leaves behind is not used, and is there."""
    migrate("upgrade")
    wanted = schema(engine)
    migrate("downgrade", "008_times_with_zone")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE INDEX ix_events_timestamp_id ON events (status)"))
        connection.execute(
            sa.text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_events_timestamp_id'::regclass")
        )

    migrate("upgrade")

    assert schema(engine) == wanted
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT bool_and(indisvalid) FROM pg_index"))


def test_a_reader_that_stays_does_not_keep_an_index_from_being_built_for_ever(
    engine: sa.Engine, migrate: Migrate
) -> None:
    """Building waits for writers that are open, not for readers of other tables who are idle."""
    migrate("upgrade", "008_times_with_zone")
    with engine.connect() as reader:
        reader.execute(sa.text("SELECT count(*) FROM alembic_version"))
        migrate("upgrade", "009_list_indexes")

    assert revision_of(engine) == "009_list_indexes"
