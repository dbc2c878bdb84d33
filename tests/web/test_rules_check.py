"""Rules checked while they are written, with and without JavaScript."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Rule
from bastion.services.people.accounts import Role
from tests.conftest import log_in_as
from tests.factories import stored_rule
from tests.web.test_rules import FORM

DRAFT = FORM | {"pattern": "(?i)ignore\nbro(ken", "views": "all"}


def test_the_answer_names_fields_lines_and_columns(analyst: FlaskClient, session: Session) -> None:
    answer = analyst.post("/rules/check", data=DRAFT | {"name": "", "must_match": "ignore"}).get_json()

    assert {
        "field": "pattern",
        "line": 2,
        "column": 8,
        "message": "missing )",
        "text": "line 2, column 8: missing )",
    } in (answer["faults"])
    assert [fault["field"] for fault in answer["faults"]] == ["name", "pattern"]
    assert answer["samples"] == []
    assert session.query(Rule).count() == 0


def test_samples_come_back_in_pieces(analyst: FlaskClient) -> None:
    text = "<b>please</b> IGNORE\u200b me\nhello\naWdub3JlIHRoaXMgdGV4dA=="
    draft = DRAFT | {"pattern": "(?i)ignore", "must_match": text, "must_not_match": "bye\nignore"}

    answer = analyst.post("/rules/check", data=draft).get_json()

    first, second, third, *innocent = answer["samples"]
    assert (answer["faults"], answer["passed"]) == ([], 3)
    assert [one["kind"] for one in answer["samples"]] == ["must_match"] * 3 + ["must_not_match"] * 2
    assert [one["passed"] for one in answer["samples"]] == [True, False, True, True, False]
    assert [one["matched"] for one in innocent] == [False, True]
    assert [piece["text"] for piece in first["pieces"] if piece["marked"]] == ["IGNORE"]
    assert first["pieces"][0]["text"] == "<b>please</b> "
    assert [piece["token"] for piece in first["pieces"]] == [False, False, True, False]
    assert (second["matched"], third["matched"], third["view"]) == (False, True, "base64")
    assert third["revealed"] == "ignore"


def test_a_rule_is_no_duplicate_of_itself(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="Mine", pattern="(?i)ignore")
    draft = DRAFT | {"pattern": "(?i)ignore"}

    assert analyst.post("/rules/check", data=draft | {"rule": str(rule.id)}).get_json()["warnings"] == []
    (warning,) = analyst.post("/rules/check", data=draft).get_json()["warnings"]
    assert warning["text"] == f"line 1: is a line of rule {rule.id} too, Mine"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"action": "explode"}, "action"),
        ({"language": "x"}, "language"),
        ({"must_match": "x" * 50_001, "pattern": "(?i)a"}, "must_match"),
        ({"must_not_match": "x" * 100_001}, "must_not_match"),
    ],
)
def test_what_cannot_be_checked_is_named(analyst: FlaskClient, change: dict[str, str], field: str) -> None:
    answer = analyst.post("/rules/check", data=DRAFT | change)

    assert (answer.status_code, [fault["field"] for fault in answer.get_json()["faults"]]) == (200, [field])


def test_a_button_does_the_same_and_saves_nothing(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="Before")
    draft = DRAFT | {"version": "1", "check": "Check", "must_match": "ignore <i>this</i>"}

    fault = analyst.post(f"/rules/{rule.id}/edit", data=draft).get_data(as_text=True)
    fine = analyst.post("/rules/new", data=draft | {"pattern": "(?i)ignore"})

    assert "It could not be saved: 1 fault" in fault
    assert "line 2, column 8: missing )" in fault
    page = fine.get_data(as_text=True)
    assert fine.status_code == 200
    assert "It could be saved as it is. 1 of 1 samples does what it must." in page.replace("\n", " ")
    assert "<mark>ignore</mark> &lt;i&gt;this&lt;/i&gt;" in page
    assert "bro(ken" in fault
    session.expire_all()
    assert (rule.name, session.query(Rule).count()) == ("Before", 1)


def test_faults_are_linked_to_their_fields(analyst: FlaskClient) -> None:
    page = analyst.post("/rules/new", data=DRAFT | {"name": ""}).get_data(as_text=True)

    assert 'role="alert"' in page
    assert '<a class="alert-link" href="#name">Name</a>: Give the rule a name.' in page
    assert 'aria-describedby="name-errors name-live"' in page


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_viewer_writes_nothing(app: Flask, session: Session) -> None:
    rule = stored_rule(session)
    viewer = log_in_as(app, Role.VIEWER)

    for path in ("/rules/check", "/rules/bulk", f"/rules/{rule.id}/history/restore"):
        assert viewer.post(path, data=DRAFT).status_code == 403
    page = viewer.get("/rules/").get_data(as_text=True)
    assert rule.name in page
    assert "New rule" not in page
    assert 'name="rule"' not in page
