"""A flow in monitor mode: it never blocks, and says what it would have blocked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action
from bastion.firewall.analysis import Submission
from bastion.firewall.flows import load_flows
from bastion.models import Event
from bastion.runtime import Runtime
from tests.factories import stored_event, stored_rule

BAD, WORSE, GOOD = "ignore this", "ignore previous", "hello"


@pytest.fixture(autouse=True)
def trial(app: Flask, parts: Runtime, tmp_path: Path) -> Iterator[None]:
    """A flow that monitors, beside those that enforce."""
    path = tmp_path / "flows.json"
    path.write_text(json.dumps([{"pipeline_flow": "trial", "pipelines": ["rule"], "mode": "monitor"}]))
    parts.firewall.flows = load_flows(path)
    with app.app_context():
        yield


def judged(parts: Runtime, session: Session, text: str, flow: str = "trial") -> Event:
    analysis = parts.firewall.analyze(Submission(text, flow))
    event = session.get(Event, analysis.event_id)
    assert event is not None
    return event


def test_it_says_what_it_would_have_blocked(session: Session, parts: Runtime) -> None:
    stored_rule(session, pattern=r"ignore previous")
    stored_rule(session, pattern="ignore", action=Action.NOTIFY)

    events = [judged(parts, session, text) for text in (WORSE, BAD, GOOD)]
    enforced = judged(parts, session, WORSE, "default")

    assert [event.status for event in events] == ["notify", "notify", "allow"]
    results = [event.pipeline_results or {} for event in (*events, enforced)]
    assert [one.get("would_be") for one in results] == ["block", None, None, None]
    assert [one["status"] for one in results] == ["notify", "notify", "allow", "block"]
    assert results[0]["pipelines"][0]["status"] == "block"
    assert enforced.status == "block"


def test_the_caller_is_told_no_more_than_notify(session: Session, api: FlaskClient) -> None:
    stored_rule(session)

    answer = api.post("/api/v1/flow/run", json={"prompt": WORSE, "pipeline_flow": "trial"}).get_json()

    assert answer["status"] == "notify"
    assert "would_be" not in answer


def test_a_rule_that_runs_out_of_time_blocks_nobody(session: Session, parts: Runtime) -> None:
    stored_rule(session, pattern=r"(a|aa)+\1\1b", name="Slow")

    event = judged(parts, session, "a" * 200 + "!aaab")

    assert event.status == "notify"
    assert (event.pipeline_results or {})["would_be"] == "block"


def test_an_event_shows_it_and_can_be_searched_by_it(
    session: Session, parts: Runtime, analyst: FlaskClient, api: FlaskClient
) -> None:
    stored_rule(session)
    would = judged(parts, session, WORSE)
    fake = stored_event(session, prompt='"would_be":"block"', pipeline_results={"x": '"would_be":"block"'})
    others = [judged(parts, session, WORSE, "default"), judged(parts, session, GOOD), fake]
    others.append(stored_event(session, pipeline_results=None))

    def found(q: str) -> list[int]:
        answer = api.get("/api/v1/events", query_string={"q": q})
        return sorted(event["id"] for event in answer.get_json()["events"])

    shown = analyst.get(f"/events/{would.uid}").get_data(as_text=True)
    assert 'would be <span class="label label-block">block</span> if the flow enforced' in shown
    assert "if the flow enforced" not in analyst.get(f"/events/{others[0].uid}").get_data(as_text=True)
    assert found("would:block") == [would.id]
    assert found("!would:block") == sorted(event.id for event in others)
    shown = analyst.get("/events/?q=would:block").get_data(as_text=True)
    assert shown.count("<tr data-uid") == 1
