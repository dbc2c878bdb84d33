"""Rules that are edited while texts are judged, all into one SQLite file, which takes one writer at a time."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from tests.factories import stored_rule

EDITORS = 4
EDITS = 25
CALLERS = 4
CALLS = 50

RULE = {"details": "A word.", "pattern": "flibbertigibbet", "action": "notify", "severity": "low"}
NewClient = Callable[[], FlaskClient]


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def new_client(app: Flask, api: FlaskClient) -> NewClient:
    """Makes clients of one token: a client is for one thread."""

    def make() -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = api.environ_base["HTTP_AUTHORIZATION"]
        return client

    return make


def edit(client: FlaskClient, number: int) -> list[Any]:
    """Answers to a new rule and to changes of it, of which every other turns it off or on."""
    answers = [client.post("/api/v1/rules", json={**RULE, "name": f"Of editor {number}"})]
    one = f"/api/v1/rules/{answers[0].get_json()['id']}"
    for count in range(1, EDITS):
        if count % 2:
            answers.append(client.put(one, json={"details": f"Change {count}.", "version": count}))
        else:
            answers.append(client.patch(f"{one}/toggle"))
    return answers


def ask(client: FlaskClient, number: int) -> list[Any]:
    """Answers to texts of which every other is an attack."""
    prompts = [f"{'ignore previous' if count % 2 else 'hello'} {number}.{count}" for count in range(CALLS)]
    return [client.post("/api/v1/flow/run", json={"prompt": prompt}) for prompt in prompts]


def test_nobody_who_edits_or_asks_finds_the_file_locked(
    new_client: NewClient, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    stored_rule(session)
    editors, callers = ([new_client() for _ in range(number)] for number in (EDITORS, CALLERS))

    with caplog.at_level(logging.INFO), ThreadPoolExecutor(EDITORS + CALLERS) as threads:
        edits = [threads.submit(edit, client, number) for number, client in enumerate(editors)]
        calls = [threads.submit(ask, client, number) for number, client in enumerate(callers)]
        edited, asked = ([answer for task in tasks for answer in task.result()] for tasks in (edits, calls))

    assert [answer.status_code for answer in edited] == [201, *[200] * (EDITS - 1)] * EDITORS
    assert [answer.status_code for answer in asked] == [200] * CALLS * CALLERS
    texts = [answer.get_data(as_text=True) for answer in edited + asked] + [caplog.text]
    assert not [text for text in texts if "locked" in text or "spooled" in text]

    found = [answer.get_json() for answer in asked]
    session.expire_all()
    events = {event.uid: event for event in session.scalars(sa.select(Event))}
    assert session.query(Event).count() == len(found) == len({answer["event_uid"] for answer in found})
    for answer in found:
        event = events[answer["event_uid"]]
        assert (event.id, event.status) == (answer["event_id"], answer["status"])
    blocked = CALLS // 2 * CALLERS
    assert (session.query(RuleTrigger).count(), session.query(Event).filter_by(status="block").count()) == (
        blocked,
        blocked,
    )
    versions = session.scalars(sa.select(Rule.version).where(Rule.name.startswith("Of editor"))).all()
    assert versions == [EDITS] * EDITORS


def test_many_who_edit_one_rule_lose_no_edit_that_was_accepted(
    new_client: NewClient, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Who comes too late for a version is told so, and by nothing that looks like a fault."""
    rule_id = stored_rule(session).id
    clients = [new_client() for _ in range(EDITORS)]

    def change(client: FlaskClient, number: int) -> list[Any]:
        changes = [{"details": f"Change {number}.{count}."} for count in range(EDITS)]
        return [client.put(f"/api/v1/rules/{rule_id}", json=change) for change in changes]

    with caplog.at_level(logging.INFO), ThreadPoolExecutor(EDITORS + 1) as threads:
        tasks = [threads.submit(change, client, number) for number, client in enumerate(clients)]
        asked = threads.submit(ask, new_client(), 0).result()
        edited = [answer for task in tasks for answer in task.result()]

    assert {answer.status_code for answer in asked} == {200}
    assert {answer.status_code for answer in edited} <= {200, 409}
    assert "locked" not in caplog.text
    assert session.query(Event).count() == CALLS
    accepted = [answer.get_json()["version"] for answer in edited if answer.status_code == 200]
    session.expire_all()
    assert sorted(accepted) == [*range(2, session.get_one(Rule, rule_id).version + 1)]
