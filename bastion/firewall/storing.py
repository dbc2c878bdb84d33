"""Plain inserts: events and their triggers in one transaction of the driver's own, and one round trip on PostgreSQL."""

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg2
import sqlalchemy as sa
from psycopg2.errors import (
    DeadlockDetected,
    InsufficientPrivilege,
    ReadOnlySqlTransaction,
    SerializationFailure,
    UndefinedFunction,
)
from sqlalchemy.dialects import postgresql, sqlite

from bastion.database.connections import ALIVE, DatabaseFile, shut_down
from bastion.firewall.recording import EventRecord
from bastion.models import Event, RuleTrigger

STORE_SECONDS: Final = 2.0
"""The longest that events wait for a lock, or for PostgreSQL to store them."""

BUSY_PAUSE_SECONDS: Final = 0.0005
"""Between two tries for SQLite's lock. Its own waiting begins with 1 ms and soon sleeps for 100."""

CHECKPOINT_PAGES: Final = 4000
"""Of 4 KiB, in SQLite's log, before they are copied into the database's file."""

RETRIES: Final = 3

_JUDGED_LATER: Final = ("disposition", "note", "reviewed_by", "reviewed_at")

_EVENT_COLUMNS: Final = [column for column in Event.__table__.columns if column.name != "id"]
_TRIGGER_COLUMNS: Final = [
    column for column in RuleTrigger.__table__.columns if column.name not in ("id", "event_id", *_JUDGED_LATER)
]

DATA_FAULTS: Final = (
    *(sqlite3.IntegrityError, sqlite3.DataError, psycopg2.IntegrityError, psycopg2.DataError),
    *(UnicodeEncodeError, OverflowError),
)
"""Errors of the rows and not of the database: they would come back with every further try."""

DATABASE_FAULTS: Final = (sqlite3.Error, psycopg2.Error)


class EventStore(Protocol):
    """One connection that stores events. It is for one thread at a time, and opens itself again when it broke."""

    def begin(self) -> None:
        """Waits until ``insert`` need not; raises ``DATABASE_FAULTS`` when that takes too long."""

    def insert(self, records: Sequence[EventRecord]) -> list[int]:
        """Stores all of them, or none, and returns their ids; raises ``DATABASE_FAULTS`` or ``DATA_FAULTS``."""

    def known(self, uids: Sequence[str]) -> dict[str, int]:
        """The ids of those events that are stored already."""

    def rules(self) -> set[int]:
        """The ids of the rules there are."""

    def probe(self) -> None:
        """Raises what ``insert`` would at the moment, as far as that can be told without storing anything."""

    def waiting_seconds(self) -> float:
        """How long another thread has waited for an answer: PostgreSQL's own limits end before a commit's wait for a
        standby does.
        """

    def cut(self) -> None:
        """Ends what another thread waits for on this connection."""

    def close(self) -> None: ...


def event_store(database: sa.Engine, synchronous: str) -> EventStore:
    """A store for the engine's database, with a connection of its own."""
    if database.dialect.name == "sqlite":
        return SqliteStore(Path(database.url.database or ""), synchronous)
    return PostgresStore(database)


def insert_once(store: EventStore, records: Sequence[EventRecord]) -> list[int]:
    """Stores the events that are not stored yet, without the triggers of rules that are gone; returns all ids."""
    known = store.known([record.event["uid"] for record in records])
    rules = store.rules()
    fresh = [
        EventRecord(record.event, [trigger for trigger in record.triggers if trigger["rule_id"] in rules])
        for record in records
        if record.event["uid"] not in known
    ]
    made = store.insert(fresh) if fresh else []
    known |= {record.event["uid"]: made_id for record, made_id in zip(fresh, made, strict=True)}
    return [known[record.event["uid"]] for record in records]


class SqliteStore:
    """Waits for the lock in steps of half a millisecond, and knows when its file was moved away."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._file = DatabaseFile(path)
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        dialect = sqlite.dialect()
        self._event = _Row(_EVENT_COLUMNS, dialect)
        self._trigger = _Row(_TRIGGER_COLUMNS, dialect)
        self._insert_event = _insert("events", self._event.names)
        self._insert_trigger = _insert("rule_triggers", ("event_id", *self._trigger.names))

    def begin(self) -> None:
        self._begun()

    def insert(self, records: Sequence[EventRecord]) -> list[int]:
        connection = self._begun()
        try:
            ids = []
            triggers = []
            for record in records:
                event_id = connection.execute(self._insert_event, self._event.bound(record.event)).lastrowid
                assert event_id is not None
                ids.append(event_id)
                triggers += [(event_id, *self._trigger.bound(trigger)) for trigger in record.triggers]
            if triggers:
                connection.executemany(self._insert_trigger, triggers)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return ids

    def known(self, uids: Sequence[str]) -> dict[str, int]:
        rows = self._open().execute(
            "SELECT uid, id FROM events WHERE uid IN (SELECT value FROM json_each(?))", (json.dumps(uids),)
        )
        return dict(rows.fetchall())

    def rules(self) -> set[int]:
        return {row[0] for row in self._open().execute("SELECT id FROM rules")}

    def probe(self) -> None:
        connection = self._begun()
        try:
            connection.execute("SELECT 1 FROM events, rule_triggers LIMIT 0")
        finally:
            connection.execute("ROLLBACK")

    def waiting_seconds(self) -> float:
        return 0.0

    def cut(self) -> None:
        if connection := self._connection:
            connection.interrupt()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        identity = self._file.identity()
        if self._connection is not None and identity == self._identity:
            return self._connection
        self.close()
        if identity is None:
            raise sqlite3.OperationalError(f"the database file {self._file.path} is gone")
        # The mode keeps SQLite from making an empty file where there is none.
        connection = sqlite3.connect(
            f"{self._file.path.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        # Each checkpoint is a wait for the disk: fewer, larger ones write the same pages less often.
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        self._connection, self._identity = connection, identity
        return connection

    def _begun(self) -> sqlite3.Connection:
        deadline = time.monotonic() + STORE_SECONDS
        connection = self._open()
        while not connection.in_transaction:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(BUSY_PAUSE_SECONDS)
        return connection


class PostgresStore:
    """One statement stores a whole group, and so is its own transaction: one round trip."""

    def __init__(self, database: sa.Engine) -> None:
        _, parameters = database.dialect.create_connect_args(database.url)
        self._parameters = {**parameters, **ALIVE}
        self._connection: Any = None
        self._since: float | None = None
        self._statement = _storing_statement()

    def begin(self) -> None:
        """Nothing to wait for: PostgreSQL lets many write at once."""

    def insert(self, records: Sequence[EventRecord]) -> list[int]:
        for attempt in range(1, RETRIES + 1):
            fresh = self._connection is None
            try:
                return self._insert(records)
            except (DeadlockDetected, SerializationFailure):
                if attempt == RETRIES:
                    raise
            except psycopg2.Error as error:
                # A server that was restarted has forgotten this connection; whether it stored the events is unknown.
                if fresh or not self._is_broken() or isinstance(error, DATA_FAULTS):
                    raise
                self.close()
                return insert_once(self, records)
        raise AssertionError("the last attempt returns or raises")

    def known(self, uids: Sequence[str]) -> dict[str, int]:
        return dict(self._run("SELECT uid, id FROM events WHERE uid = ANY(%s)", (list(uids),)))

    def rules(self) -> set[int]:
        return {row[0] for row in self._run("SELECT id FROM rules")}

    def probe(self) -> None:
        # Statements that are sent as one text are one transaction: it ends, and the lock with it. The message is
        # written as an event would be, and the commit waits as for one.
        lock, look = "LOCK TABLE events, rule_triggers IN ROW EXCLUSIVE MODE NOWAIT;", "SHOW transaction_read_only"
        try:
            found = self._run(f"{lock} SELECT pg_logical_emit_message(true, 'bastion', 'probe'); {look}")
        except (InsufficientPrivilege, UndefinedFunction):
            found = self._run(f"{lock} {look}")
        if found == [("on",)]:
            raise ReadOnlySqlTransaction("PostgreSQL is read-only")

    def waiting_seconds(self) -> float:
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def cut(self) -> None:
        if (connection := self._connection) is not None:
            shut_down(connection)

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _insert(self, records: Sequence[EventRecord]) -> list[int]:
        events = [record.event for record in records]
        triggers = [
            {**trigger, "uid": record.event["uid"], "place": place}
            for record in records
            for place, trigger in enumerate(record.triggers)
        ]
        ids = dict(self._run(self._statement, (_as_json(events), _as_json(triggers))))
        return [ids[event["uid"]] for event in events]

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._open().cursor() as cursor:
                self._since = time.monotonic()
                cursor.execute(statement, values or None)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        except psycopg2.Error as error:
            # Where nothing can be written, another server may have taken over.
            if self._is_broken() or isinstance(error, ReadOnlySqlTransaction):
                self.close()
            raise
        finally:
            self._since = None

    def _is_broken(self) -> bool:
        return self._connection is None or bool(self._connection.closed)

    def _open(self) -> Any:
        if self._connection is None:
            # Known before the first statement, so that it can be cut.
            self._connection = psycopg2.connect(**self._parameters)
            self._since = time.monotonic()
            try:
                self._connection.autocommit = True
                limit = int(STORE_SECONDS * 1000)
                with self._connection.cursor() as cursor:
                    cursor.execute(f"SET statement_timeout = {limit}; SET lock_timeout = {limit}")
            except psycopg2.Error:
                self.close()
                raise
        return self._connection


class _Row:
    """The values of one table's columns, as the driver takes them."""

    def __init__(self, columns: Sequence[sa.ColumnElement[Any]], dialect: sa.Dialect) -> None:
        self.names = tuple(column.name for column in columns)
        self._pick = itemgetter(*self.names)
        self._processed = [
            (name, process)
            for name, column in zip(self.names, columns, strict=True)
            if (process := column.type.dialect_impl(dialect).bind_processor(dialect))
        ]

    def bound(self, row: dict[str, Any]) -> tuple[Any, ...]:
        changed = {name: process(row[name]) for name, process in self._processed if row[name] is not None}
        values: tuple[Any, ...] = self._pick({**row, **changed})
        return values


def _insert(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 (names of columns)


def _storing_statement() -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

    def described(columns: Sequence[sa.ColumnElement[Any]]) -> str:
        return ", ".join(f'"{column.name}" {column.type.compile(dialect)}' for column in columns)

    def named(columns: Sequence[sa.ColumnElement[Any]]) -> str:
        return ", ".join(f'"{column.name}"' for column in columns)

    return f"""
        WITH stored AS (
            INSERT INTO events ({named(_EVENT_COLUMNS)})
            SELECT {named(_EVENT_COLUMNS)} FROM json_to_recordset(%s) AS sent({described(_EVENT_COLUMNS)})
            RETURNING id, uid
        ), triggered AS (
            INSERT INTO rule_triggers (event_id, {named(_TRIGGER_COLUMNS)})
            SELECT stored.id, {named(_TRIGGER_COLUMNS)}
            FROM json_to_recordset(%s) AS sent({described(_TRIGGER_COLUMNS)}, uid text, place int)
            JOIN stored USING (uid) ORDER BY stored.id, place
        )
        SELECT uid, id FROM stored
    """  # noqa: S608 (names of columns)


def _as_json(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=str)
