"""The upgrade as a script for psql."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bastion import create_app
from tests.databases import Databases
from tests.migrations import aidr_bastion
from tests.migrations.conftest import Migrate
from tests.migrations.support import HEAD, REVISIONS, content, fill, flask, reflected, revision_of, schema

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
"""Nobody listens there."""

Script = Callable[..., str]


@pytest.fixture
def script(instance: Path) -> Script:
    """What ``flask db ... --sql`` writes, for a server that is not there."""
    app = create_app(database_url=NOWHERE, bastion_instance=instance)

    def written(*arguments: str) -> str:
        done = app.test_cli_runner().invoke(args=["db", *arguments, "--sql"])
        assert done.exit_code == 0, done.output
        return done.stdout

    return written


def connected(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))


def apply(databases: Databases, url: str, sql: str) -> None:
    databases.server.psql(url.rpartition("/")[2], text=sql)


def test_the_script_makes_the_schema_that_an_upgrade_makes(
    databases: Databases, instance: Path, script: Script
) -> None:
    url = databases.blank("postgresql")

    apply(databases, url, script("upgrade"))

    by_script, by_upgrade = connected(url), connected(databases.migrated("postgresql"))
    assert schema(by_script) == schema(by_upgrade)
    assert revision_of(by_script) == HEAD
    assert flask(url, instance, "db", "check").returncode == 0
    by_script.dispose()
    by_upgrade.dispose()


@pytest.mark.parametrize("by_server", [False, True])
def test_the_script_keeps_rows_and_gives_events_their_uid(
    databases: Databases, instance: Path, script: Script, by_server: bool
) -> None:
    url = databases.blank("postgresql")
    engine, fresh = connected(url), connected(databases.migrated("postgresql"))
    if by_server:
        aidr_bastion.METADATA.create_all(engine)
        assert flask(url, instance, "db", "stamp", REVISIONS[0]).returncode == 0
    else:
        apply(databases, url, script("upgrade", REVISIONS[0]))
    fill(engine)
    old = reflected(engine)
    held = content(engine, old)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE events SET timestamp = '1960-01-01' WHERE id = 1"))
        held["events"][0] = (*held["events"][0][:-1], "1960-01-01 00:00:00")

    apply(databases, url, script("upgrade", f"{REVISIONS[0]}:head"))

    assert schema(engine) == schema(fresh)
    assert content(engine, old) == held
    with engine.connect() as connection:
        uids = connection.scalars(sa.text("SELECT uid FROM events ORDER BY id")).all()
    # 2025-01-13 12:00:01.123 UTC is 0x01945f88fe63 milliseconds after 1970; what was before 1970 counts from there.
    assert [uid[:15] for uid in uids[:2]] == ["00000000-0000-7", "01945f88-fe63-7"]
    assert {(uid[14], uid[19] in "89ab", len(uid)) for uid in uids} == {("7", True, 36)}
    assert (len(set(uids)), sorted(uids)) == (len(uids), list(uids))
    engine.dispose()
    fresh.dispose()


def test_the_way_back_can_be_written_too(databases: Databases, script: Script) -> None:
    url = databases.blank("postgresql")
    apply(databases, url, script("upgrade", REVISIONS[0]))
    engine = connected(url)
    first = schema(engine)

    apply(databases, url, script("upgrade", f"{REVISIONS[0]}:head"))
    apply(databases, url, script("downgrade", f"head:{REVISIONS[0]}"))

    assert schema(engine) == first
    engine.dispose()


def test_nothing_is_touched_while_it_is_written(databases: Databases, instance: Path) -> None:
    url = databases.blank("postgresql")
    engine = connected(url)
    aidr_bastion.METADATA.create_all(engine)
    before = schema(engine)

    done = flask(url, instance, "db", "upgrade", "--sql")

    assert done.returncode == 0
    assert not sa.inspect(engine).has_table("alembic_version")
    assert schema(engine) == before
    engine.dispose()


def test_sqlite_says_why_not(databases: Databases, instance: Path) -> None:
    url = databases.blank("sqlite")

    done = flask(url, instance, "db", "upgrade", "--sql")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "cannot be written down as SQL" in done.stderr
    assert "DATABASE_URL=sqlite:///copy.db flask db upgrade" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_an_interrupted_script_can_be_taken_up_where_it_stopped(databases: Databases, script: Script) -> None:
    """Each revision marks itself, so that the rest can be asked for."""
    url = databases.blank("postgresql")
    engine = connected(url)
    broken = script("upgrade").replace("-- Running upgrade 007", "SELECT 1 / 0;\n-- Running upgrade 007")
    with pytest.raises(subprocess.CalledProcessError):
        apply(databases, url, broken)
    assert revision_of(engine) == "007_wide_ids"

    apply(databases, url, script("upgrade", "007_wide_ids:head"))

    assert revision_of(engine) == HEAD
    engine.dispose()


def test_rows_of_a_new_event_need_no_special_name(migrate: Migrate, engine: sa.Engine, kind: str) -> None:
    """The uid of a time that is none is that of now, on SQLite, which checks no times."""
    if kind != "sqlite":
        pytest.skip("PostgreSQL checks times")
    migrate("upgrade", REVISIONS[0])
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO events (status, flow_name, timestamp) VALUES ('allow', 'x', 'not a time')")
        )

    migrate("upgrade")

    with engine.connect() as connection:
        assert str(connection.scalar(sa.text("SELECT uid FROM events")))[14] == "7"
