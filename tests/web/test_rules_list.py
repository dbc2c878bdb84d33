"""The list of rules: searched, exported, changed by the hundred."""

import csv
import io
import re

import pytest
import yaml
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action
from bastion.models import Rule
from bastion.services.rules.stored_rules import update_rule
from tests.factories import stored_event, stored_rule


def rows(page: str) -> list[str]:
    return re.findall(r'<td class="rule-name"><a [^>]*><bdi>(.*?)</bdi>', page)


def test_the_list_shows_what_a_search_selects(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="Loud", tags=("LLM01:2025",))
    stored_rule(session, name="Draft", enabled=False)
    stored_event(session, rules=(rule,))

    page = analyst.get("/rules/?q=status:enforce+tag:llm01:2025").get_data(as_text=True)

    assert rows(page) == ["Loud"]
    assert 'aria-label="1 triggers in 24 hours, 1 in 7 days"' in page
    assert 'aria-label="by day, oldest first: 0, 0, 0, 0, 0, 0, 1"' in page
    assert "not judged" in page
    assert 'href="/rules/?q=tag%3Allm01%3A2025"' in page
    assert rows(analyst.get("/rules/?sort=-name").get_data(as_text=True)) == ["Loud", "Draft"]


@pytest.mark.parametrize("query", ["q=staus:draft", "q=status:on", "sort=size", "page=0", "page=x", "pge=2"])
def test_a_wrong_address_says_what_is_wrong(analyst: FlaskClient, session: Session, query: str) -> None:
    stored_rule(session, name="Loud")

    answer = analyst.get(f"/rules/?{query}")

    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'id="q-faults"' in page
    assert "Loud" not in page


def test_an_empty_list_says_which_kind_it_is(analyst: FlaskClient, session: Session) -> None:
    assert "There are no rules yet." in analyst.get("/rules/").get_data(as_text=True)
    stored_rule(session)
    page = analyst.get("/rules/?q=nowhere").get_data(as_text=True)
    assert "No rule matches." in page
    assert "Clear filters" in page


def test_the_files_hold_what_the_list_shows(analyst: FlaskClient, session: Session) -> None:
    stored_rule(session, name="=cmd()", tags=("a", "b"))
    stored_rule(session, name="Draft", enabled=False)

    (record,) = analyst.get("/rules/export.json?q=status:enforce").get_json()["rules"]
    table = analyst.get("/rules/export.csv?q=status:enforce")

    assert (record["name"], record["status"], record["tags"], record["precision"]) == (
        "=cmd()",
        "enforce",
        ["a", "b"],
        None,
    )
    (line,) = csv.DictReader(io.StringIO(table.get_data(as_text=True).removeprefix("\ufeff")))
    assert (line["name"], line["status"]) == ("'=cmd()", "enforce")
    assert "attachment" in table.headers["Content-Disposition"]
    assert analyst.get("/rules/export.xml").status_code == 404
    assert analyst.get("/rules/export.csv?q=a:b").status_code == 422


def test_a_change_is_shown_before_it_is_made(analyst: FlaskClient, session: Session) -> None:
    drafts = [
        stored_rule(session, name=f"Draft {number}", enabled=False, action=Action.NOTIFY, category="pii")
        for number in range(2)
    ]
    stored_rule(session, name="Running", category="pii")
    noise = stored_rule(session, name="Noise", enabled=False)
    sent = {"change": "enable", "scope": "query", "q": "category:pii"}

    page = analyst.post("/rules/bulk", data=sent).get_data(as_text=True)

    session.expire_all()
    assert "2 rules would be enabled" in page
    assert "<strong>1</strong> is so already" in page
    assert not any(rule.enabled for rule in drafts)
    versions = re.search(r'name="versions" value="([^"]*)"', page)
    assert versions
    sent = {"change": "enable", "apply": "1", "versions": versions[1], "q": "category:pii", "comment": "now"}
    assert analyst.post("/rules/bulk", data=sent).headers["Location"] == "/rules/?q=category%3Apii"
    session.expire_all()
    assert [rule.enabled for rule in drafts] == [True, True]
    assert (noise.enabled, drafts[0].history[-1]["by"], drafts[0].history[-1]["why"]) == (False, "analyst", "now")


def test_only_checked_rules_change_and_what_changed_meanwhile_is_told(analyst: FlaskClient, session: Session) -> None:
    first, second, third = (stored_rule(session, name=name) for name in ("First", "Second", "Third"))
    sent = {"change": "add-tag", "tag": "new", "scope": "checked", "rule": [str(first.id), str(second.id)], "q": ""}
    assert "2 rules would be given the tag" in analyst.post("/rules/bulk", data=sent).get_data(as_text=True)
    update_rule(session, second, {"details": "Theirs."})
    session.commit()

    answer = analyst.post(
        "/rules/bulk",
        data={"change": "add-tag", "tag": "new", "apply": "1", "versions": f"{first.id}:1 {second.id}:1", "q": ""},
    )

    assert answer.status_code == 409
    assert "Second has been changed meanwhile" in answer.get_data(as_text=True)
    session.expire_all()
    assert [rule.tags for rule in (first, second, third)] == [("new",), (), ()]


def test_checked_rules_come_as_a_file_that_an_import_takes(analyst: FlaskClient, session: Session) -> None:
    first, second, third = (stored_rule(session, name=name) for name in ("First", "Second", "Third"))

    checked = analyst.post("/rules/bulk", data={"export": "yaml", "rule": [str(third.id), str(first.id)], "q": ""})
    selected = analyst.post("/rules/bulk", data={"export": "yaml", "scope": "query", "q": "second"})

    assert "bastion-rules.yaml" in checked.headers["Content-Disposition"]
    assert [rule["name"] for rule in yaml.safe_load_all(checked.get_data())] == ["Third", "First"]
    assert second.uuid in selected.get_data(as_text=True)
    assert first.uuid not in selected.get_data(as_text=True)
    assert analyst.post("/rules/bulk", data={"export": "yaml", "q": ""}).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"change": "explode"},
        {"change": "add-tag"},
        {"change": "enable", "rule": []},
        {"change": "enable", "rule": ["x"]},
        {"change": "enable", "scope": "query", "q": "a:b"},
        {"change": "enable", "apply": "1", "versions": "1"},
        {"change": "enable", "apply": "1", "versions": "1:1", "comment": "x" * 501},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    analyst: FlaskClient, session: Session, change: dict[str, object]
) -> None:
    rule = stored_rule(session, enabled=False)

    answer = analyst.post("/rules/bulk", data={"scope": "checked", "rule": [str(rule.id)], "tag": "", "q": ""} | change)

    session.expire_all()
    assert answer.status_code == 422
    assert session.query(Rule).filter(Rule.enabled).count() == 0


def test_versions_are_compared_and_brought_back(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="First", pattern="(?i)one two")
    update_rule(session, rule, {"name": "Second", "pattern": "(?i)one three"}, actor="bob", why="<i>why</i>")
    session.commit()

    page = analyst.get(f"/rules/{rule.id}/history").get_data(as_text=True)
    assert "bob" in page
    assert "&lt;i&gt;why&lt;/i&gt;" in page
    assert "(?i)one <del>two</del>" in page
    assert "(?i)one <ins>three</ins>" in page
    answer = analyst.post(f"/rules/{rule.id}/history/restore", data={"version": "1", "seen": "2"})

    session.expire_all()
    assert answer.headers["Location"] == f"/rules/{rule.id}/history"
    assert (rule.name, rule.version, rule.history[-1]["by"]) == ("First", 3, "analyst")
    assert analyst.post(f"/rules/{rule.id}/history/restore", data={"version": "1", "seen": "2"}).status_code == 409
    assert analyst.get(f"/rules/{rule.id}/history?old=7").status_code == 404
    assert analyst.get(f"/rules/{rule.id}/history?old=x").status_code == 422
