"""Servers, workers and databases that are killed at the worst moment."""

import json
import os
import signal
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from bastion.extensions import db
from bastion.firewall.kept_rules import RULES_FILE
from bastion.firewall.spool import Spool
from bastion.models import Event
from bastion.settings import load_settings
from tests.databases import Databases
from tests.firewall.test_database_away import ATTACK, PATIENCE_SECONDS, RUN, ask, wait_until_stored, waiting
from tests.firewall.test_spool import MEGABYTE, record
from tests.postgres import TemporaryPostgres
from tests.servers import Server

SPOOLED = 8000


def test_a_server_that_is_killed_while_it_replays_stores_each_event_once_and_in_order(
    databases: Databases, kind: str, instance: Path
) -> None:
    url = databases.migrated(kind)
    engine = sa.create_engine(load_settings(database_url=url).database_url)
    uids = sa.select(Event.uid).order_by(Event.id)

    def stored() -> list[str]:
        with engine.connect() as connection:
            return list(connection.scalars(uids))

    server = Server(url, instance)
    try:
        spool = Spool(instance / "spool", MEGABYTE * 100)
        waiting_events = [record(f"text {number}") for number in range(SPOOLED)]
        spool.append(waiting_events)
        spool.release()
        while not stored():
            time.sleep(0.005)
        server.kill()
        assert 0 < len(stored()) < SPOOLED

        server.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while waiting(server) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stored() == [one.event["uid"] for one in waiting_events]
    finally:
        server.stop()
        engine.dispose()


def test_a_postgresql_that_is_restarted_under_load_loses_nothing(postgres: TemporaryPostgres, instance: Path) -> None:
    server = Server(postgres.url, instance)
    answers: list[dict[str, Any]] = []
    refused: list[Any] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            status, answer = server.call("POST", RUN, {"prompt": ATTACK})
            (answers if status == 200 else refused).append(answer)

    callers = [threading.Thread(target=keep_asking) for _ in range(4)]
    try:
        for caller in callers:
            caller.start()
        for restarts in (1, 2):
            while len(answers) < 50 * restarts and not refused:
                time.sleep(0.01)
            postgres.kill()
            postgres.start()
        stop.set()
        for caller in callers:
            caller.join()
        assert refused == []
        wait_until_stored(server, answers)
    finally:
        stop.set()
        server.stop()


def test_a_worker_that_dies_while_the_database_is_away_goes_on_with_the_rules_kept_on_disk(
    postgres: TemporaryPostgres, instance: Path
) -> None:
    server = Server(postgres.url, instance, BASTION_WORKERS="1")
    try:
        answers = ask(server)
        changed = server.call("POST", "/rules", rule("kept", "a phrase of this test"))[1]
        while server.status_of("a phrase of this test") != "block":
            time.sleep(0.05)
        postgres.kill()
        wait_for_another_worker(server, "The worker is ready: ")

        away = [*ask(server), server.call("POST", RUN, {"prompt": "a phrase of this test"})[1]]
        assert [away[-1]["status"], away[-1]["pipelines"][0]["triggered_rules"][0]["id"]] == ["block", changed["uuid"]]
        assert "THE STORED RULES CANNOT BE READ" in server.log
        with urllib.request.urlopen(f"{server.url}/readyz") as ready:
            state = json.load(ready)
        assert state["status"] == "degraded"
        since = datetime.fromisoformat(state["rules_unread_since"])
        assert timedelta() < datetime.now(UTC) - since < timedelta(minutes=5)

        postgres.start()
        assert server.call("GET", "/events/stats")[0] in (200, 503)
        while waiting(server):
            time.sleep(0.05)
        for answer in answers + away:
            assert server.call("GET", f"/events/{answer['event_uid']}")[1]["status"] == answer["status"]
        # Whatever is kept, what the database has counts from now on.
        assert server.call("PUT", f"/rules/{changed['id']}", {"enabled": False, "version": 1})[0] == 200
        while server.status_of("a phrase of this test") != "allow":
            time.sleep(0.05)
        assert "the stored rules can be read again" in server.log
    finally:
        server.stop()


def test_a_worker_that_dies_while_the_database_is_away_does_not_take_the_server_along(
    postgres: TemporaryPostgres, instance: Path
) -> None:
    server = Server(postgres.url, instance)
    try:
        answers = ask(server)
        postgres.kill()
        (instance / RULES_FILE).write_bytes((instance / RULES_FILE).read_bytes().replace(b"block", b"allow", 1))
        wait_for_another_worker(server, "The worker is ready without rules")

        # The other one judges as before; the new one has no rules that can be relied on, and says so.
        kinds = set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while kinds != {200, 503}:
            status, answer = server.call("POST", RUN, {"prompt": ATTACK})
            kinds.add(status)
            if status == 200:
                answers.append(answer)
            else:
                assert answer["error"] == "rules_unavailable"
            assert time.monotonic() < deadline

        postgres.start()
        wait_until_stored(server, answers)
        answers += ask(server)
    finally:
        server.stop()


def wait_for_another_worker(server: Server, says: str) -> None:
    """Kills the oldest worker, and returns when the log says so once more than before."""
    before = server.log.count(says)
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.log.count(says) == before:
        assert time.monotonic() < deadline, server.log
        time.sleep(0.05)


def rule(name: str, pattern: str) -> dict[str, Any]:
    return {"name": name, "details": "d", "pattern": pattern, "action": "block", "severity": "high"}


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_connection_that_breaks_after_the_answer_does_not_change_it(
    app: Flask, api: FlaskClient, databases: Databases
) -> None:
    def break_connection(response: Response) -> Response:
        backend = db.session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
        if broken:
            databases.server.psql("postgres", "-c", f"SELECT pg_terminate_backend({backend}, 5000)")
        return response

    app.after_request(break_connection)
    broken = True
    assert api.get("/api/v1/events").status_code == 200
    broken = False
    assert api.get("/api/v1/events").status_code == 200
