"""The pool of connections of pages and API: wide enough for every thread, and with nothing dead in it."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from bastion import create_app
from bastion.extensions import db
from bastion.firewall.writer import TICK_SECONDS
from bastion.runtime import Runtime
from tests.databases import Databases
from tests.factories import stored_rule


@pytest.fixture
def kind() -> str:
    return "postgresql"


def pool_size(database_url: str, instance: Path, **settings: str) -> int:
    app = create_app(database_url=database_url, bastion_instance=instance, **settings)
    with app.app_context():
        pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.size()


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 17),
        ({"bastion_threads": "1"}, 5),
        ({"bastion_threads": "5"}, 6),
        ({"bastion_threads": "40", "database_pool_size": "40"}, 41),
        ({"bastion_threads": "4", "database_pool_size": "30"}, 30),
    ],
)
def test_every_thread_has_a_connection_and_the_watch_over_the_rules_one_more(
    database_url: str, instance: Path, settings: dict[str, str], size: int
) -> None:
    assert pool_size(database_url, instance, **settings) == size


def test_as_many_as_there_are_threads_and_one_work_without_any_beyond_the_pool(
    database_url: str, instance: Path
) -> None:
    app = create_app(
        database_url=database_url, bastion_instance=instance, bastion_threads="7", database_max_overflow="0"
    )
    with app.app_context():
        with ExitStack() as taken:
            backends = {
                taken.enter_context(db.engine.connect()).exec_driver_sql("SELECT pg_backend_pid()").scalar()
                for _ in range(8)
            }
        db.engine.dispose()
    assert len(backends) == 8


def pooled(engine: Engine, number: int) -> list[int]:
    """The backends of so many connections that wait in the pool."""
    with ExitStack() as taken:
        connections = [taken.enter_context(engine.connect()) for _ in range(number)]
        return [int(one.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()) for one in connections]


def test_connections_that_the_server_ended_in_the_pool_fail_no_page(
    app: Flask, analyst: FlaskClient, api: FlaskClient, session: Session, engine: Engine, databases: Databases
) -> None:
    stored_rule(session, name="Still there")
    session.close()
    paths = ("/", "/rules/", "/events/")
    assert [analyst.get(path).status_code for path in paths] == [200] * 3

    for client, path in [*((analyst, path) for path in paths), (api, "/api/v1/rules"), (api, "/api/v1/events")]:
        backends = pooled(engine, 3)
        for backend in backends:
            databases.server.psql("postgres", "-c", f"SELECT pg_terminate_backend({backend}, 60000)")
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert not {*pooled(engine, 3)} & {*backends}
    assert "Still there" in analyst.get("/rules/").get_data(as_text=True)


def test_a_database_that_takes_no_changes_for_a_while_is_read_and_loses_nothing(
    analyst: FlaskClient,
    api: FlaskClient,
    session: Session,
    engine: Engine,
    databases: Databases,
    parts: Runtime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored_rule(session)
    session.close()
    rule = {"name": "Another", "details": "-", "pattern": "zebra", "action": "block"}

    def make_read_only(how: str) -> None:
        databases.server.psql("postgres", "-c", f"ALTER DATABASE {engine.url.database} {how}")

    make_read_only("SET default_transaction_read_only = on")
    engine.dispose()
    refused = api.post("/api/v1/rules", json=rule)
    assert (refused.status_code, refused.get_json()["error"]) == (503, "database_unavailable")
    judged = api.post("/api/v1/flow/run", json={"prompt": "ignore previous"}).get_json()
    assert (judged["status"], judged["spooled"]) == ("block", True)
    assert analyst.get("/rules/").status_code == 200
    assert api.get("/readyz").get_json()["status"] == "degraded"
    time.sleep(2 * TICK_SECONDS)
    assert "takes events again" not in caplog.text

    make_read_only("RESET default_transaction_read_only")
    assert api.post("/api/v1/rules", json=rule).status_code in (201, 503)
    assert api.post("/api/v1/rules", json=rule).status_code == 201
    while parts.firewall.recorder.spool.waiting().events:
        time.sleep(0.01)
    assert api.get(f"/api/v1/events/{judged['event_uid']}").get_json()["status"] == "block"
