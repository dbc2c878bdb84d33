"""What a store does when its database refuses, ends its connection, or was told to be quick rather than safe."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from flask import Flask
from psycopg2.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bastion import create_app
from bastion.extensions import db
from bastion.firewall.recording import EventRecord
from bastion.firewall.storing import RETRIES, STORE_SECONDS, PostgresStore, SqliteStore
from bastion.models import Event, RuleTrigger
from tests.databases import Databases
from tests.factories import stored_rule
from tests.firewall.test_spool import record

PATIENCE_SECONDS = 60
Insert = Callable[[PostgresStore, Sequence[EventRecord]], list[int]]

postgresql = pytest.mark.parametrize("kind", ["postgresql"])
sqlite = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.fixture
def store(engine: Engine) -> Iterator[PostgresStore]:
    opened = PostgresStore(engine)
    yield opened
    opened.close()


def stored(session: Session) -> list[tuple[str | None, int]]:
    """The text of each event, and how many triggers it has."""
    session.rollback()
    return [(event.prompt, len(event.triggers)) for event in session.scalars(sa.select(Event).order_by(Event.id))]


def backend_of(store: PostgresStore) -> int:
    return int(store._run("SELECT pg_backend_pid()")[0][0])


def end_backend(databases: Databases, pid: int) -> None:
    """Returns when the server's process for that connection is gone."""
    assert databases.server.psql("postgres", "-c", f"SELECT pg_terminate_backend({pid}, 60000)") == "t\n"


def limits_of(store: PostgresStore) -> list[str]:
    return [store._run(f"SHOW {name}")[0][0] for name in ("statement_timeout", "lock_timeout")]


@postgresql
def test_a_deadlock_is_tried_again_and_stores_the_event_once(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has written to the table of events and wants a rule; the other holds the rule and wants the table.

    A third holds the store up in between until the other waits. PostgreSQL looks for a deadlock once in each wait,
    when it has lasted for ``deadlock_timeout``, and ends whoever looked: here that is always the store.
    """
    monkeypatch.setattr("bastion.firewall.storing.STORE_SECONDS", PATIENCE_SECONDS)
    first, second = stored_rule(session).id, stored_rule(session).id
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET deadlock_timeout = '10ms'")
    failures = note_failures(monkeypatch)
    wanted = record("wanted", first, second)
    store = PostgresStore(engine)
    ids: list[list[int]] = []
    with closing(psycopg2.connect(url)) as gate, closing(psycopg2.connect(url)) as other:
        lock_rule(gate, first)
        lock_rule(other, second)
        other.cursor().execute("SET deadlock_timeout = '1h'")
        storing = threading.Thread(target=lambda: ids.append(store.insert([wanted])))
        storing.start()
        wait_for_blocked(session, by=gate)
        taking = threading.Thread(target=lock_events, args=(other,))
        taking.start()
        wait_for_blocked(session, by=store._connection)
        gate.rollback()
        taking.join(PATIENCE_SECONDS)
        other.rollback()
        storing.join(PATIENCE_SECONDS)
    store.close()

    assert failures == [DeadlockDetected]
    assert stored(session) == [("wanted", 2)]
    assert ids == [[session.scalars(sa.select(Event.id)).one()]]


def lock_rule(connection: Any, rule_id: int) -> None:
    connection.cursor().execute("SELECT 1 FROM rules WHERE id = %s FOR UPDATE", (rule_id,))


def lock_events(connection: Any) -> None:
    # Who waits for a table has it before whoever comes next: the second attempt cannot be the first again.
    connection.cursor().execute("LOCK TABLE events IN EXCLUSIVE MODE")


def wait_for_blocked(session: Session, by: Any) -> None:
    """Until somebody waits for what that connection holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    blocked = sa.text("SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))")
    while not session.scalar(blocked, {"pid": by.info.backend_pid}):
        assert time.monotonic() < deadline, "nobody waits"
        session.rollback()
    session.rollback()


def note_failures(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """The kinds of errors that single attempts to insert end with, from now on."""
    failures: list[type[BaseException]] = []
    real: Insert = PostgresStore._insert

    def insert(store: PostgresStore, records: Sequence[EventRecord]) -> list[int]:
        try:
            return real(store, records)
        except psycopg2.Error as error:
            failures.append(type(error))
            raise

    monkeypatch.setattr(PostgresStore, "_insert", insert)
    return failures


def fail(monkeypatch: pytest.MonkeyPatch, error: type[psycopg2.Error], times: int) -> list[int]:
    """Has the first attempts to insert fail, and returns a list that gets the size of each attempt."""
    attempts: list[int] = []
    real: Insert = PostgresStore._insert

    def insert(store: PostgresStore, records: Sequence[EventRecord]) -> list[int]:
        attempts.append(len(records))
        if len(attempts) <= times:
            raise error
        return real(store, records)

    monkeypatch.setattr(PostgresStore, "_insert", insert)
    return attempts


@postgresql
@pytest.mark.parametrize("error", [DeadlockDetected, SerializationFailure])
def test_the_last_attempt_counts(
    session: Session, store: PostgresStore, monkeypatch: pytest.MonkeyPatch, error: type[psycopg2.Error]
) -> None:
    rule_id = stored_rule(session).id
    attempts = fail(monkeypatch, error, RETRIES - 1)

    store.insert([record("one", rule_id), record("two")])

    assert attempts == [2] * RETRIES
    assert stored(session) == [("one", 1), ("two", 0)]


@postgresql
@pytest.mark.parametrize("error", [DeadlockDetected, SerializationFailure])
def test_an_error_that_stays_comes_through(
    session: Session, store: PostgresStore, monkeypatch: pytest.MonkeyPatch, error: type[psycopg2.Error]
) -> None:
    attempts = fail(monkeypatch, error, RETRIES)

    with pytest.raises(error):
        store.insert([record("one")])

    assert attempts == [1] * RETRIES
    assert stored(session) == []
    store.insert([record("next")])
    assert stored(session) == [("next", 0)]


@postgresql
def test_a_backend_that_is_ended_is_replaced_by_one_with_the_same_limits(
    session: Session, store: PostgresStore, databases: Databases
) -> None:
    rule_id = stored_rule(session).id
    limits = [f"{STORE_SECONDS:.0f}s"] * 2
    store.insert([record("before", rule_id)])
    backend = backend_of(store)
    assert limits_of(store) == limits

    end_backend(databases, backend)
    (event_id,) = store.insert([record("after", rule_id)])

    assert backend_of(store) != backend
    assert limits_of(store) == limits
    assert stored(session) == [("before", 1), ("after", 1)]
    assert session.get_one(Event, event_id).prompt == "after"


@postgresql
def test_an_event_whose_answer_was_lost_is_not_stored_again(
    session: Session, store: PostgresStore, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_id = stored_rule(session).id
    real: Insert = PostgresStore._insert
    made: list[int] = []
    store.insert([record("before")])

    def insert(own: PostgresStore, records: Sequence[EventRecord]) -> list[int]:
        """The server commits, and is gone before it can say so."""
        made.extend(real(own, records))
        end_backend(databases, backend_of(own))
        own._run("SELECT 1")
        raise AssertionError("the connection is broken")

    monkeypatch.setattr(PostgresStore, "_insert", insert)

    assert store.insert([record("doubtful", rule_id)]) == made
    assert stored(session) == [("before", 0), ("doubtful", 1)]
    assert session.query(RuleTrigger).count() == 1


@postgresql
def test_a_lock_is_not_waited_for_any_longer_than_for_the_limit(
    session: Session, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastion.firewall.storing.STORE_SECONDS", 0.05)
    session.execute(sa.text("LOCK TABLE events IN EXCLUSIVE MODE"))

    with pytest.raises((psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled)):
        store.insert([record("held up")])

    assert stored(session) == []
    session.rollback()
    # The same connection goes on, with a limit that a busy machine keeps.
    store._run("SET statement_timeout = 30000; SET lock_timeout = 30000; SELECT 1")
    store.insert([record("next")])
    assert stored(session) == [("next", 0)]


def pragmas_of(app: Flask) -> dict[str, Any]:
    """What is in force on the connection that stores the application's events, once it has stored one."""
    client = app.test_client()
    client.environ_base["HTTP_X_API_KEY"] = app.extensions["bastion"].tokens.create("t")
    answer = client.post("/api/v1/flow/run", json={"prompt": "hello"}).get_json()
    assert answer["event_id"] is not None
    store = app.extensions["bastion"].firewall.recorder._store
    assert isinstance(store, SqliteStore)
    connection = store._connection
    assert connection is not None
    names = ("synchronous", "journal_mode", "foreign_keys")
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


@sqlite
@pytest.mark.parametrize(("settings", "synchronous"), [({}, 2), ({"bastion_sqlite_synchronous": "normal"}, 1)])
def test_sqlite_stores_as_durably_as_was_asked_for(
    database_url: str, instance: Path, settings: dict[str, str], synchronous: int
) -> None:
    # As a copy of the file may be, or one that AIDR Bastion made.
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    app = create_app(database_url=database_url, bastion_instance=instance, **settings)
    try:
        assert pragmas_of(app) == {"synchronous": synchronous, "journal_mode": "wal", "foreign_keys": 1}
    finally:
        app.extensions["bastion"].firewall.recorder.stop()
        app.extensions["bastion"].firewall.rules.stop()
        app.extensions["bastion"].vitals.stop()
        with app.app_context():
            db.engine.dispose()
