"""Events over JSON."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.factories import stored_event, stored_rule

EVENTS = "/api/v1/events"
AIDR_FIELDS = {"id", "task_id", "prompt", "status", "flow_name", "pipeline_results", "timestamp"}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_filters_compose_and_the_total_obeys_them(api: FlaskClient, session: Session) -> None:
    for minute in range(3):
        stored_event(session, status="block", prompt=f"b{minute}", timestamp=NOON + timedelta(minutes=minute))
    stored_event(session, status="block", flow_name="base_audit", prompt="other flow")
    stored_event(session, status="allow", prompt="other status")

    def prompts(query: str) -> tuple[int, list[str]]:
        body = api.get(f"{EVENTS}?{query}").get_json()
        return body["total"], [event["prompt"] for event in body["events"]]

    assert prompts("status=block&flow_name=default") == (3, ["b2", "b1", "b0"])
    assert prompts("status=block&flow_name=default&skip=1&limit=1") == (3, ["b1"])
    assert prompts("status=notify") == (0, [])
    assert prompts("")[0] == 5


def test_an_event_has_aidr_bastions_fields_and_more(api: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    event = stored_event(session, rules=(rule,), task_id="t/1", timestamp=NOON, source="chat")
    stored_event(session, rules=(rule,))

    for path in (str(event.id), event.uid, "task/t/1"):
        body = api.get(f"{EVENTS}/{path}").get_json()
        assert set(body) > AIDR_FIELDS
        assert (body["id"], body["task_id"], body["source"]) == (event.id, "t/1", "chat")
        assert body["timestamp"] == "2026-11-22T12:00:00+00:00"
        assert body["pipeline_results"] == {"status": "allow", "pipelines": []}
        (trigger,) = body["triggers"]
        assert (trigger["rule_uuid"], trigger["spans"], trigger["rule_version"]) == (rule.uuid, [[0, 15]], 1)


def test_a_task_that_ran_twice_answers_with_its_newest_event(api: FlaskClient, session: Session) -> None:
    stored_event(session, task_id="t", prompt="first", timestamp=NOON)
    stored_event(session, task_id="t", prompt="second", timestamp=NOON + timedelta(seconds=1))
    stored_event(session, task_id="u", prompt="third", timestamp=NOON + timedelta(seconds=2))

    assert api.get(f"{EVENTS}/task/t").get_json()["prompt"] == "second"


def test_the_newest_events(api: FlaskClient, session: Session) -> None:
    for minute in range(3):
        stored_event(session, prompt=str(minute), timestamp=NOON + timedelta(minutes=minute))

    body = api.get(f"{EVENTS}/recent?limit=2").get_json()

    assert body["total"] == 3
    assert [event["prompt"] for event in body["events"]] == ["2", "1"]


def test_the_counts(api: FlaskClient, session: Session) -> None:
    for status in ("block", "block", "notify", "allow", "error"):
        stored_event(session, status=status)

    assert api.get(f"{EVENTS}/stats").get_json() == {
        "total": 5,
        "blocked": 2,
        "notified": 1,
        "allowed": 1,
        "errors": 1,
    }


@pytest.mark.parametrize("query", ["status=nope", "skip=-1", "limit=0", "limit=1001", "status=block&status=allow"])
def test_a_wrong_filter_is_refused(api: FlaskClient, query: str) -> None:
    assert api.get(f"{EVENTS}?{query}").status_code == 422
    assert api.get(f"{EVENTS}/recent?limit=501").status_code == 422


@pytest.mark.parametrize("key", ["1", "0", "x", "9" * 40, "task/none", "01890000-0000-7000-8000-000000000000"])
def test_an_event_that_is_not_there_is_404(api: FlaskClient, key: str) -> None:
    assert api.get(f"{EVENTS}/{key}").status_code == 404
