"""The two databases of a copy: one to be read at a single moment, one for this copy alone."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bastion.errors import BastionError, SchemaError
from bastion.extensions import Base
from bastion.schema.faults import explained
from bastion.schema.locking import alone
from bastion.settings import ROOT

SOURCE: Final = "FROM_URL"
TARGET: Final = "TO_URL"
SAME: Final = f"{SOURCE} and {TARGET} are the same database"
ANOTHER: Final = "name an empty database"

_BUSY_SECONDS: Final = 2.0

Migrate = Callable[[str], None]
"""Brings the database of that URL to this version's revision."""


class CopyError(BastionError):
    """The copy cannot be made, or goes no further; the message names the database, or the table and the id."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two databases; ``name`` is what the command calls it."""

    name: str
    connection: Connection

    @property
    def is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Says which of the two databases failed. Neither driver repeats a password."""
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise CopyError(f"{name}: another process uses this database: stop the servers and try again") from None
        raise CopyError(f"{name}: the database cannot be used: {first_line(error.orig)}") from None


def first_line(error: BaseException | None) -> str:
    """What a driver says, without the rows that it may quote below and without what would move a terminal's cursor."""
    line = next(iter(str(error).strip().splitlines()), "")
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


@contextmanager
def opened_source(url: str) -> Iterator[Side]:
    """The source as it is at this moment, whatever is written to it meanwhile. Nothing can be written through it.

    Raises:
        CopyError: when it cannot be read or is not at this version's revision.
    """
    if (file := _file(url)) and not file.is_file():
        raise CopyError(f"{SOURCE}: there is no file {file}")
    with naming(SOURCE):
        connection = _source_engine(url).connect()
    with closing(connection):
        with naming(SOURCE):
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            revision = _revision(connection)
        if revision != _head():
            raise CopyError(
                f"{SOURCE}: is at revision {revision or 'none'}, and this version copies {_head()}. "
                f"Bring it there first: `flask db upgrade`, with it as DATABASE_URL"
            )
        yield Side(SOURCE, connection)


@contextmanager
def opened_target(url: str, source: Side, migrate: Migrate) -> Iterator[Side]:
    """The target with this version's schema; ``migrate`` gives it to a database that holds nothing yet.

    Raises:
        CopyError: when it cannot be written to, is the source, or has tables of another version or program.
    """
    if _wants_schema(url, source):
        try:
            if file := _file(url):
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # What it will hold are prompts: nobody else's to read.
                file.touch(mode=0o600)
            migrate(url)
        except (SchemaError, OSError) as error:
            raise CopyError(f"{TARGET}: {error}") from None
    with naming(TARGET):
        connection = _target_engine(url).connect()
    with closing(connection):
        with naming(TARGET):
            revision = _revision(connection)
            connection.rollback()
        if revision != _head():
            raise CopyError(f"{TARGET}: is at revision {revision or 'none'}, wants {_head()}")
        with alone(connection):
            yield Side(TARGET, connection)


def _wants_schema(url: str, source: Side) -> bool:
    """Whether the target holds nothing, and no schema of this version.

    Raises:
        CopyError: when it has another schema and holds something, or is the source.
    """
    file = _file(url)
    if file and not file.exists():
        return True
    # Looked at first: opening the target locks it, against the source as well.
    if file and (other := _file(source.connection.engine.url)) and file.samefile(other):
        raise CopyError(SAME)
    with naming(TARGET), _target_engine(url).connect() as connection:
        if not file and source.is_postgresql and _server(connection) == _server(source.connection):
            raise CopyError(SAME)
        revision = _revision(connection)
        if revision == _head():
            return False
        tables = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
        if not revision and (others := sorted(tables - set(Base.metadata.tables))):
            raise CopyError(f"{TARGET}: has tables that are not Bastion's ({', '.join(others[:5])}): {ANOTHER}")
        for name in tables & set(Base.metadata.tables):
            if connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first():
                raise CopyError(f"{TARGET}: is at revision {revision or 'none'} and holds {name}: {ANOTHER}")
        return True


def _source_engine(url: str) -> Engine:
    if file := _file(url):
        return sa.create_engine(url, poolclass=NullPool, creator=lambda: _open_file(file, "ro"))
    engine = sa.create_engine(
        url,
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        connect_args={"application_name": "bastion copy", "client_encoding": "utf8"},
    )
    sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _target_engine(url: str) -> Engine:
    if file := _file(url):
        engine = sa.create_engine(url, poolclass=NullPool, creator=lambda: _open_file(file, "rw"))
        sa.event.listen(engine, "connect", _prepare_target_file)
        return engine
    engine = sa.create_engine(
        url, poolclass=NullPool, connect_args={"application_name": "bastion copy", "client_encoding": "utf8"}
    )
    sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _open_file(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, timeout=_BUSY_SECONDS)


def _prepare_target_file(connection: sqlite3.Connection, _record: Any) -> None:
    # Nobody else may use the file until this connection ends, however it ends.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # 256 MiB instead of 2, or the pages of the indexes are written and read again and again.
    connection.execute("PRAGMA cache_size=-262144")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute("SET datestyle = 'ISO'")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    connection.commit()


def _file(url: str | URL) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _server(connection: Connection) -> tuple[object, ...]:
    """What is equal for two connections to one PostgreSQL database, by whichever address they found it."""
    return tuple(
        connection.execute(sa.text("SELECT pg_postmaster_start_time(), current_database(), current_schema()")).one()
    )


def _revision(connection: Connection) -> str:
    return ", ".join(MigrationContext.configure(connection).get_current_heads())


def _head() -> str | None:
    try:
        return ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    except CommandError as error:
        raise CopyError(explained(str(error))) from None
