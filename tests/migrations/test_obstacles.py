"""What others have made on the tables: kept, or named before anything is changed."""

import pytest
import sqlalchemy as sa

from bastion.schema.adoption import FIRST
from tests.migrations.conftest import Migrate

VIEW = "CREATE VIEW named AS SELECT r.name, e.status FROM rules r, events e"
INSERT = (
    "INSERT INTO rules (uuid, name, details, language, pattern, action, enabled) "
    "VALUES ('u', 'a name', 'd', 'l', 'p', 'block', {true})"
)


@pytest.fixture
def first(engine: sa.Engine, migrate: Migrate, kind: str) -> sa.Engine:
    """A database at the first revision with a rule."""
    migrate("upgrade", FIRST)
    execute(engine, INSERT.format(true="true" if kind == "postgresql" else "1"))
    return engine


def execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_a_view_is_kept_or_named(
    first: sa.Engine, migrate: Migrate, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(first, VIEW)

    migrate("upgrade", fails=kind == "postgresql")

    with first.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM named")).scalar() == 0
    if kind == "postgresql":
        assert "these views use columns whose type changes: named. Nothing was changed" in caplog.text
        assert FIRST in migrate("current")
        execute(first, "DROP VIEW named")
        migrate("upgrade")
    migrate("downgrade", "base")


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("CREATE TRIGGER noted AFTER UPDATE ON rules BEGIN SELECT 1; END", "trigger noted"),
        ("CREATE INDEX lowered ON events (lower(flow_name))", "index lowered"),
    ],
)
@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_a_copied_table_would_lose_is_named(
    first: sa.Engine, migrate: Migrate, made: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(first, made)

    migrate("upgrade", fails=True)

    assert f"would be lost when tables are copied into their new form: {named}. Nothing was changed" in caplog.text
    assert FIRST in migrate("current")
    execute(first, "DROP " + named)
    migrate("upgrade")


def test_an_upgrade_with_nothing_to_do_says_so(migrate: Migrate, capsys: pytest.CaptureFixture[str]) -> None:
    migrate("upgrade")
    assert "nothing to do" not in capsys.readouterr().out

    assert "nothing to do: the database is at 0" in migrate("upgrade")
