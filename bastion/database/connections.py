"""How every connection is opened, so that none of them waits for ever."""

import os
import socket
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg2
import sqlalchemy as sa
from psycopg2.errors import ReadOnlySqlTransaction
from sqlalchemy.exc import DisconnectionError

from bastion.settings import Settings

CONNECT_SECONDS: Final = 3
STATEMENT_SECONDS: Final = 30
"""The longest statement of a page. Events have a shorter time: see ``bastion.firewall.storing``."""

LOCK_SECONDS: Final = 5
BUSY_SECONDS: Final = 15

ALIVE: Final = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "bastion",
    # A host that is gone says nothing: the system notices within some ten seconds, not hours.
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""What PostgreSQL's client library is told."""

Identity = tuple[int, int]


def engine_options(settings: Settings) -> dict[str, Any]:
    """What SQLAlchemy's engine is made with."""
    # Parameters are texts that somebody sent: an error must not put them into the log, nor DATABASE_ECHO.
    if settings.sqlite_file:
        # A transaction that begins as a reader cannot become a writer while others write: SQLite then says at once
        # that the database is locked, however long it was told to wait.
        return {"connect_args": {"timeout": BUSY_SECONDS, "isolation_level": "IMMEDIATE"}, "hide_parameters": True}
    return {
        "hide_parameters": True,
        # A thread needs one connection, the watch over the rules one more.
        "pool_size": max(settings.database_pool_size, settings.bastion_threads + 1),
        "max_overflow": settings.database_max_overflow,
        "pool_timeout": LOCK_SECONDS,
        "pool_pre_ping": True,
        "connect_args": dict(ALIVE),
    }


def prepare_connections(engine: sa.Engine, settings: Settings) -> None:
    """Has every connection of the engine opened as ours are."""
    if settings.sqlite_file:
        file = DatabaseFile(settings.sqlite_file)
        synchronous = settings.bastion_sqlite_synchronous.value
        sa.event.listen(engine, "do_connect", lambda *_: file.must_be_there())
        sa.event.listen(engine, "connect", lambda connection, record: _prepare(connection, record, file, synchronous))
        sa.event.listen(engine, "checkout", lambda _connection, record, _proxy: _check(record, file))
    else:
        newest = _NewestServer()
        sa.event.listen(engine, "connect", newest.note)
        sa.event.listen(engine, "checkout", newest.check)
        sa.event.listen(engine, "connect", _limit_statements)
        sa.event.listen(engine, "handle_error", _leave_what_is_read_only)


class DatabaseFile:
    """An SQLite file that must not be replaced by an empty one because somebody moved it away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = False

    def identity(self) -> Identity | None:
        """What tells this file from another one of its name; ``None`` when there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        self._seen = True
        return status.st_dev, status.st_ino

    def must_be_there(self) -> None:
        """Lets SQLite make the file the first time, and never again in this process.

        Raises:
            sqlite3.OperationalError: when it was there and is gone.
        """
        if self.identity() is None and self._seen:
            raise sqlite3.OperationalError(f"the database file {self.path} is gone")


class _NewestServer:
    """Which of several servers the newest connection leads to: a pool must not lead to the one before as well."""

    def __init__(self) -> None:
        self._server: tuple[str, int] | None = None

    def note(self, connection: Any, record: Any) -> None:
        record.info["server"] = self._server = (connection.info.host, connection.info.port)

    def check(self, _connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("server") != self._server:
            raise DisconnectionError("another server has taken over")


def shut_down(connection: Any) -> None:
    """Ends a PostgreSQL connection that another thread waits on, which closing it would not."""
    try:
        descriptor = os.dup(connection.fileno())
    except (OSError, psycopg2.Error):
        return
    with socket.socket(fileno=descriptor) as end, suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _prepare(connection: Any, record: Any, file: DatabaseFile, synchronous: str) -> None:
    """Readers beside a writer, commits as durable as was asked for, and foreign keys that hold."""
    cursor = connection.cursor()
    # For a file without tables yet; in any other it changes nothing.
    cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
    record.info["file"] = file.identity()


def _check(record: Any, file: DatabaseFile) -> None:
    if record.info.get("file") != file.identity():
        raise DisconnectionError("the database file is another one than was opened")


def _leave_what_is_read_only(context: sa.ExceptionContext) -> None:
    """Another server may have taken over: who tries again does so on a new connection."""
    if isinstance(context.original_exception, ReadOnlySqlTransaction):
        context.is_disconnect = True


def _limit_statements(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET statement_timeout = '{STATEMENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s'; "
            "SET idle_in_transaction_session_timeout = '60s'"
        )
    connection.commit()
