"""Migrations that are killed at all kinds of moments: what is there then is one revision or the next, with its rows."""

import multiprocessing
import shutil
import signal
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import Databases
from tests.migrations import aidr_bastion
from tests.migrations.conftest import Migrate
from tests.migrations.killing import migrate_and_die
from tests.migrations.support import (
    HEAD,
    REVISIONS,
    SCRIPT,
    Content,
    broken_references,
    content,
    fill,
    fill_new,
    reflected,
    revision_of,
    schema,
)

STRIDE = {"sqlite": 23, "postgresql": 11}
"""Of the statements and commits of a migration, one in so many is where it is killed: primes meet all kinds."""

IN_PARTS = {
    before
    for before, revision in zip(["unmarked", *REVISIONS], REVISIONS, strict=False)
    if hasattr(SCRIPT.get_revision(revision).module, "outside_transactions")
}
"""What follows these is several transactions on PostgreSQL, each of which bears being done again."""

# One process that has everything imported, from which the others are forked.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.migrations.killing", "bastion.app"])


def killed(url: str, instance: Path, command: list[str], statement: int) -> bool:
    """Whether the command was killed before that statement; it had fewer otherwise, and ended well."""
    process = FORKING.Process(target=migrate_and_die, args=(url, str(instance), command, statement))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


class Copies:
    """Copies of one database, each to be migrated once."""

    def __init__(self, databases: Databases, url: str, kind: str) -> None:
        self._databases, self._original, self.kind = databases, url, kind

    def take(self) -> str:
        url = self._databases.blank(self.kind)
        if self.kind == "sqlite":
            shutil.copyfile(self._original.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        else:
            name, original = url.rpartition("/")[2], self._original.rpartition("/")[2]
            self._databases.server.psql("postgres", "-c", f"DROP DATABASE {name}")
            self._databases.server.psql("postgres", "-c", f"CREATE DATABASE {name} TEMPLATE {original}")
        return url


def state(engine: sa.Engine) -> str:
    """The revision as it is marked."""
    return (revision_of(engine) or "unmarked") if sa.inspect(engine).has_table("alembic_version") else "unmarked"


def connected(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))


def interrupt_everywhere(
    copies: Copies, instance: Path, command: list[str], schemas: dict[str, object], old: dict[str, sa.Table], end: str
) -> set[str]:
    """Kills the command at many moments, each on a copy of its own, and lets it run again; where it was is returned."""
    held: Content | None = None
    seen = set()
    for statement in count(1, STRIDE[copies.kind]):
        url = copies.take()
        engine = connected(url)
        held = held or content(engine, old)
        engine.dispose()
        if not killed(url, instance, command, statement):
            break
        found = state(engine)
        seen.add(found)
        assert not [name for name in sa.inspect(engine).get_table_names() if name.startswith("_alembic_tmp")]
        assert content(engine, old) == held
        if engine.dialect.name == "sqlite" or found not in IN_PARTS:
            assert schema(engine) == schemas[found], (statement, found)
        engine.dispose()

        assert not killed(url, instance, command, 0)

        assert (state(engine), schema(engine)) == (end, schemas[end]), statement
        assert content(engine, old) == held
        assert broken_references(engine) == 0
        engine.dispose()
    return seen


@pytest.fixture
def schemas(engine: sa.Engine) -> dict[str, object]:
    """Of AIDR Bastion's server, with rows, so that all there is to do is done; later by revision."""
    aidr_bastion.METADATA.create_all(engine)
    fill(engine, rows=40)
    return {"unmarked": schema(engine)}


def test_a_killed_upgrade_is_taken_up_again(
    schemas: dict[str, object],
    engine: sa.Engine,
    blank: str,
    instance: Path,
    migrate: Migrate,
    databases: Databases,
    kind: str,
) -> None:
    old = reflected(engine)
    engine.dispose()
    original = Copies(databases, blank, kind).take()
    for revision in REVISIONS:
        migrate("upgrade", revision)
        schemas[revision] = schema(engine)
    engine.dispose()

    seen = interrupt_everywhere(Copies(databases, original, kind), instance, ["upgrade"], schemas, old, HEAD)

    assert len(seen) >= 4


def test_a_killed_downgrade_is_taken_up_again(
    schemas: dict[str, object],
    engine: sa.Engine,
    blank: str,
    instance: Path,
    migrate: Migrate,
    databases: Databases,
    kind: str,
) -> None:
    old = reflected(engine)
    migrate("upgrade")
    fill_new(engine, old)
    schemas[HEAD] = schema(engine)
    engine.dispose()
    original = Copies(databases, blank, kind).take()
    for revision in reversed(REVISIONS[:-1]):
        migrate("downgrade", revision)
        schemas[revision] = schema(engine)
    engine.dispose()
    back = ["downgrade", REVISIONS[0]]

    seen = interrupt_everywhere(Copies(databases, original, kind), instance, back, schemas, old, REVISIONS[0])

    assert len(seen) >= 4
