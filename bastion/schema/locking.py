"""One process migrates a database at a time."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click
import sqlalchemy as sa
from sqlalchemy import Connection

from bastion.errors import SchemaError

_ADVISORY_LOCK: Final = 0x62617374696F6E
"""Any number that other programs on the same PostgreSQL do not use: "bastion" in ASCII."""

_PAUSE_SECONDS: Final = 0.2


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Holds the only right to migrate, which ends with the connection or the process at the latest.

    It is a PostgreSQL session's advisory lock, or a locked file beside an SQLite database.
    """
    if connection.dialect.name == "postgresql":
        # Asked for again and again: CREATE INDEX CONCURRENTLY waits for every statement that runs elsewhere, so a
        # session that waited inside pg_advisory_lock() and the one that builds would wait for each other.
        _wait_for(lambda: _try_advisory_lock(connection))
        yield
    else:
        path = f"{connection.engine.url.database}.migrating"
        try:
            lock = open(path, "a", encoding="ascii")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise SchemaError(
                f"the file {path} cannot be written, without which nothing may migrate: {error}"
            ) from None
        with lock:
            _wait_for(lambda: _try_file_lock(lock.fileno()))
            yield


def _try_advisory_lock(connection: Connection) -> bool:
    got = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY_LOCK))))
    connection.rollback()
    return got


def _try_file_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(attempt: Callable[[], bool]) -> None:
    if attempt():
        return
    click.echo("another process migrates this database: waiting for it")
    while not attempt():
        time.sleep(_PAUSE_SECONDS)
