"""A rule's exceptions over JSON."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.access import Scope
from bastion.runtime import Runtime
from tests.api.test_rules import NEW, RULES
from tests.factories import stored_rule

SENT = {"kind": "source", "value": "nightly", "reason": "our own test run"}


@pytest.fixture
def one(api: FlaskClient, session: Session) -> str:
    stored_rule(session)
    return f"{RULES}/{api.post(RULES, json=NEW).get_json()['id']}"


def test_an_exception_is_made_holds_and_is_taken_away(api: FlaskClient, one: str) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    text = {"prompt": "LOUD", "source": "nightly"}
    assert api.post("/api/v1/flow/run", json=text).get_json()["status"] == "notify"

    made = api.post(f"{one}/exceptions", json=SENT | {"until": until.isoformat(), "version": 1})

    assert made.status_code == 201
    rule = made.get_json()
    assert rule["version"] == 2
    (exception,) = rule["exceptions"]
    assert exception | SENT == exception
    assert exception["author"] == "test"
    assert datetime.fromisoformat(exception["until"]) == until
    assert api.get(one).get_json() == rule
    second = api.post(f"{one}/exceptions", json=SENT | {"kind": "text", "value": "LOUD!"}).get_json()
    assert [each["until"] for each in second["exceptions"]] == [exception["until"], None]

    left = api.delete(f"{one}/exceptions/{exception['id']}")

    assert left.status_code == 200
    assert left.get_json()["exceptions"] == second["exceptions"][1:]
    assert left.get_json()["version"] == 4
    history = api.get(f"{one}/history").get_json()["versions"]
    assert [(version["by"], version["comment"]) for version in history[:3]] == [
        ("test", "without exception (source): our own test run"),
        ("test", "exception (text): our own test run"),
        ("test", "exception (source): our own test run"),
    ]
    assert api.delete(f"{one}/exceptions/{exception['id']}").status_code == 404


def test_the_engine_obeys_at_once(api: FlaskClient, parts: Runtime, one: str) -> None:
    api.post(f"{one}/exceptions", json=SENT)
    parts.firewall.rules.refresh()

    def status(**sent: str) -> str:
        return str(api.post("/api/v1/flow/run", json={"prompt": "LOUD", **sent}).get_json()["status"])

    assert (status(source="nightly"), status(source="daily"), status()) == ("allow", "notify", "notify")


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"kind": "person"}, "kind", "Input should be 'regex', 'text', 'source' or 'flow'"),
        ({"value": " "}, "value", "must not be empty"),
        ({"value": 7}, "value", "Input should be a valid string"),
        ({"kind": "regex", "value": "a("}, "value", "column 3: missing )"),
        ({"reason": ""}, "reason", "must say why"),
        ({"until": "tomorrow"}, "until", "wants a time such as 2026-11-22T14:30 or 2026-11-22T14:30Z, not 'tomorrow'"),
        ({"until": "2020-01-01"}, "until", "must be later than now"),
        ({"kind": "text", "value": "\ud800"}, "exceptions", "number 1: has a character that cannot be stored"),
    ],
)
def test_what_is_wrong_is_named(api: FlaskClient, one: str, sent: dict[str, object], field: str, message: str) -> None:
    answer = api.post(f"{one}/exceptions", json=SENT | sent)

    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [{"field": field, "message": message}]
    assert api.get(one).get_json()["version"] == 1


def test_what_lacks_is_named(api: FlaskClient, one: str) -> None:
    faults = api.post(f"{one}/exceptions", json={}).get_json()["errors"]

    assert [fault["field"] for fault in faults] == ["kind", "value", "reason"]


def test_a_change_is_held_to_the_version_that_it_names(api: FlaskClient, one: str) -> None:
    key = api.post(f"{one}/exceptions", json=SENT).get_json()["exceptions"][0]["id"]

    old = {"If-Match": '"1"'}
    assert api.post(f"{one}/exceptions", json=SENT, headers=old).status_code == 412
    assert api.post(f"{one}/exceptions", json=SENT | {"version": 1}).status_code == 409
    assert api.delete(f"{one}/exceptions/{key}", headers=old).status_code == 412
    assert api.get(one).get_json()["version"] == 2
    assert api.delete(f"{one}/exceptions/{key}", headers={"If-Match": '"2"'}).get_json()["exceptions"] == []


def test_there_must_be_a_rule_in_use(api: FlaskClient, session: Session, one: str) -> None:
    rule = stored_rule(session, uuid="gone")
    rule.archived_at = rule.created_at
    session.commit()

    assert api.post(f"{RULES}/999/exceptions", json=SENT).status_code == 404
    assert api.post(f"{RULES}/gone/exceptions", json=SENT).status_code == 404
    assert api.delete(f"{RULES}/gone/exceptions/x").status_code == 404


def test_only_a_token_that_may_write_may(scoped, one: str) -> None:  # type: ignore[no-untyped-def]
    reader = scoped(Scope.READ)
    assert reader.post(f"{one}/exceptions", json=SENT).status_code == 403
    assert reader.delete(f"{one}/exceptions/x").status_code == 403
    assert scoped(Scope.WRITE).post(f"{one}/exceptions", json=SENT).status_code == 201
