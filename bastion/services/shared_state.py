"""What the workers of a host must agree on at once: a small SQLite file in the instance folder, not the database.

It is no evidence and may be deleted while Bastion is stopped: then limits begin anew, and only sessions that were
logged out less than a day ago could be used again by whoever kept their cookie.
"""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bastion.errors import DatabaseUnavailable
from bastion.services.instance_files import locked, make_private

STATE_FILE: Final = "state.db"

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS limits (key TEXT PRIMARY KEY, full_at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ended_sessions (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS token_use (name TEXT PRIMARY KEY, used_at REAL NOT NULL) WITHOUT ROWID;
"""


class SharedState:
    """One connection a thread, opened when it is first used in a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """One statement in a transaction of its own.

        Raises:
            DatabaseUnavailable: when the file cannot be used, or is busy for longer than two seconds.
        """
        try:
            with closing(self._connection().execute(statement, values)) as cursor:
                return cursor.fetchall()
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DatabaseUnavailable(f"{self.path.name} in the instance folder cannot be used: {reason}") from error

    def _connection(self) -> sqlite3.Connection:
        if getattr(self._local, "process", None) != os.getpid():
            self._local.connection = self._open()
            self._local.process = os.getpid()
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        # One at a time: SQLite does not wait for others when it turns a new file to WAL.
        with locked(self.path):
            if not self.path.exists():
                # Made before SQLite makes it: what SQLite keeps beside it gets the same rights. Nobody else opens it
                # ever after: a process that closes any descriptor of a file lets go of all locks that it has on it
                # (sqlite.org/howtocorrupt.html, 2.2).
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            make_private(self.path)
            connection = sqlite3.connect(self.path, timeout=2, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may take the last second's counts, never the file.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_TABLES)
        return connection
