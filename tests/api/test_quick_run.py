"""The quick way answers what Flask answers, to the byte and the header, where nothing is out of the ordinary."""

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bastion.api.quick_run import PATH, QuickRun
from bastion.models import Event
from bastion.runtime import Runtime
from bastion.services.people.tokens import Scope
from tests.factories import stored_rule

JSON = {"Content-Type": "application/json"}
_CHANGING = re.compile(r'"event_id":\d+|"event_uid":"[0-9a-f-]+"|"request_id":"[0-9a-f]+"')


@pytest.fixture
def quick(app: Flask, api: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which way each request was answered, once the quick way has learned its headers."""
    stored_rule(session, details='"quoted" \u2028 <b>')
    ways: list[str] = []
    quick_run: QuickRun = app.quick_run  # type: ignore[attr-defined]
    slow, real = quick_run._slow, QuickRun._answer
    monkeypatch.setattr(quick_run, "_slow", lambda *given: (ways.append("slow"), slow(*given))[1])

    def answered(self: QuickRun, *given: Any) -> bytes:
        body = real(self, *given)
        ways.append("quick")
        return body

    monkeypatch.setattr(QuickRun, "_answer", answered)
    assert api.post(PATH, json={"prompt": "first"}).status_code == 200
    ways.clear()
    return ways


def comparable(answer: Any) -> tuple[int, str, list[tuple[str, str]]]:
    headers = [(name, "id" if name == "X-Request-ID" else value) for name, value in answer.headers]
    return (
        answer.status_code,
        _CHANGING.sub("", answer.get_data(as_text=True)),
        sorted((name, value) for name, value in headers if name != "Content-Length"),
    )


def both_ways(api: FlaskClient, quick: list[str], **request: Any) -> tuple[Any, Any]:
    """The answers to a request as it is, and to the same with an empty query that only Flask is asked."""
    first = api.post(PATH, **request)
    second = api.post(f"{PATH}?slow", **request)
    assert quick[-1] == "slow"
    return first, second


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "hello"},
        {"prompt": "ignore previous \ud800 \0 ÿ 你"},
        {"prompt": "ignore previous", "task_id": 7, "direction": "output", "source": "chat", "more": [1]},
    ],
)
def test_the_quick_way_answers_as_flask_does(
    api: FlaskClient, quick: list[str], session: Session, body: dict[str, Any]
) -> None:
    first, second = both_ways(api, quick, data=json.dumps(body), headers=JSON)

    assert quick == ["quick", "slow"]
    assert comparable(first) == comparable(second)
    assert int(first.headers["Content-Length"]) == len(first.get_data())
    stored = [session.get_one(Event, answer.get_json()["event_id"]) for answer in (first, second)]
    kept = ("prompt", "status", "task_id", "source", "direction", "context", "pipeline_results", "prompt_sha256")
    assert [getattr(stored[0], name) for name in kept] == [getattr(stored[1], name) for name in kept]
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"prompt": 1}', b"\xff", b'{"prompt": "x", "pipeline_flow": "nope"}', b'{"prompt": NaN}'],
)
def test_every_error_is_flasks(api: FlaskClient, quick: list[str], session: Session, body: bytes) -> None:
    before = session.query(Event).count()

    first, second = both_ways(api, quick, data=body, headers=JSON)

    assert quick == ["slow", "slow"]
    assert first.status_code in (400, 404, 422)
    assert comparable(first) == comparable(second)
    assert session.query(Event).count() == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, 400),
        ({**JSON, "Authorization": "Bearer wrong"}, 401),
        ({**JSON, "Authorization": ""}, 401),
    ],
)
def test_what_is_not_plain_is_flasks(api: FlaskClient, quick: list[str], headers: dict[str, str], status: int) -> None:
    assert api.post(PATH, data=b'{"prompt": "x"}', headers=headers).status_code == status
    assert quick == ["slow"]


def test_scopes_hold(app: Flask, quick: list[str], scoped: Any) -> None:
    for scope in Scope:
        status = scoped(scope).post(PATH, json={"prompt": "x"}).status_code
        assert status == (200 if scope is Scope.ANALYZE else 403)
    assert quick == ["quick", "slow", "slow", "slow"]


def test_a_tokens_source_holds(app: Flask, quick: list[str], parts: Runtime, session: Session) -> None:
    client = app.test_client()
    client.environ_base["HTTP_X_API_KEY"] = parts.tokens.create("of one", [Scope.ANALYZE], source="chat")

    answer = client.post(PATH, json={"prompt": "x"})
    refused = client.post(PATH, json={"prompt": "x", "source": "other"})

    assert session.get_one(Event, answer.get_json()["event_id"]).source == "chat"
    assert refused.status_code >= 400
    assert quick == ["quick", "slow"]


def test_a_fault_of_ours_is_answered_as_one(
    api: FlaskClient, quick: list[str], parts: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.firewall.rules, "current", lambda: 1 / 0)

    answer = api.post(PATH, json={"prompt": "x"})

    assert (answer.status_code, answer.get_json()["error"]) == (500, "internal")
    assert quick == ["slow"]


def test_what_is_logged_has_the_id_that_is_answered(
    api: FlaskClient, quick: list[str], engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO hidden")
    answer = api.post(PATH, json={"prompt": "x"})
    failed = api.post(PATH, json={"prompt": "x" * 2_000_000})

    assert answer.get_json()["spooled"] is True
    assert f"ERROR [{answer.headers['X-Request-ID']}] bastion.firewall" in capfd.readouterr().err
    assert failed.get_json()["request_id"] == failed.headers["X-Request-ID"] != answer.headers["X-Request-ID"]
    assert quick == ["quick", "slow"]


def test_both_ways_are_counted(api: FlaskClient, quick: list[str], parts: Runtime) -> None:
    both_ways(api, quick, json={"prompt": "x"})

    assert 'endpoint="api.run_flow",method="POST",status="200"} 3.0' in parts.metrics.text().decode()
