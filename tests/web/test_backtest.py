"""The backtest's page."""

import html
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger, utc_now
from bastion.services.rules import backtest_run
from tests.factories import stored_event, stored_rule

DRAFT = {
    "name": "Dra<ft",
    "details": "Looks for greetings.",
    "language": "llm-regex-pattern",
    "pattern": "hello\r\ngood day",
    "action": "notify",
    "severity": "",
    "views": "all",
    "validator": "",
}


def fields(shown: str, form: str) -> dict[str, str]:
    """What a form of the page would send."""
    part = shown.split(f'id="{form}"')[1].split("</form>", maxsplit=1)[0]
    return {
        html.unescape(name): html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', part)
    }


def figures(shown: str) -> dict[str, str]:
    part = shown.split("backtest-figures")[1].split("</dl>", maxsplit=1)[0]
    found = re.findall(r"<dt[^>]*>(.*?)</dt><dd>(.*?)</dd>", part)
    return {name: re.sub("<[^>]*>", "", value).strip() for name, value in found}


def store(session: Session, *texts: str | None) -> None:
    for number, text in enumerate(texts):
        stored_event(session, prompt=text, timestamp=utc_now() - timedelta(hours=number + 1))


def test_a_draft_is_tested_before_there_is_a_rule(analyst: FlaskClient, session: Session) -> None:
    store(session, "hello <b>you</b>", "good day", "bye", None)

    answer = analyst.post("/rules/backtest", data=DRAFT | {"begin": "1"})

    shown = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert figures(shown) == {
        "new": "2",
        "lost": "0",
        "unchanged": "0",
        "Judged false positive": "not judged, n = 0",
        "Not testable, no text kept": "1",
    }
    assert "<mark>hello</mark> &lt;b&gt;you&lt;/b&gt;" in shown
    assert "<b>you" not in shown
    assert "<strong>4</strong> of 4 events: done in" in shown
    assert 'id="histogram"' in shown
    assert session.scalar(sa.select(sa.func.count(Rule.id))) == 0
    assert session.scalar(sa.select(sa.func.count(Event.id))) == 4


def test_a_changed_rule_is_held_against_its_saved_version(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, pattern="hello")
    store(session, "hello", "good day", "hello, good day", "bye")
    event = stored_event(session, prompt="hello hello", rules=(rule,))
    session.execute(sa.update(RuleTrigger).where(RuleTrigger.event_id == event.id).values(disposition="false_positive"))
    session.commit()

    changed = DRAFT | {"pattern": "good day\r\nhello hello", "rule": str(rule.id), "version": "1", "begin": "1"}
    shown = analyst.post("/rules/backtest", data=changed).get_data(as_text=True)

    found = figures(shown)
    assert (found["new"], found["lost"], found["unchanged"]) == ("1", "1", "2")
    assert found["Judged false positive"] == "100% n = 1"
    assert f"against version {rule.version} that is saved" in shown
    assert f'href="/events/{event.uid}"' in shown


def test_a_saved_rule_is_tested_as_it_is(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, pattern="hello")
    store(session, "hello", "bye")
    assert 'name="begin"' in analyst.get(f"/rules/{rule.id}/backtest").get_data(as_text=True)

    shown = analyst.post(f"/rules/{rule.id}/backtest", data={"begin": "1", "q": "", "range": "24h"})

    assert figures(shown.get_data(as_text=True))["unchanged"] == "1"


def test_each_step_carries_what_was_found_and_where_it_goes_on(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(session, *["hello"] * 3, *["bye"] * 2)
    monkeypatch.setitem(backtest_run.go_on.__kwdefaults__, "rows", 2)
    shown = analyst.post("/rules/backtest", data=DRAFT | {"begin": "1", "q": "direction:input"}).get_data(as_text=True)
    assert "There are no such events." in shown

    shown = analyst.post("/rules/backtest", data=DRAFT | {"begin": "1", "range": "7d"}).get_data(as_text=True)
    steps = [re.findall(r"<strong>(\d+)</strong> of (\d+) events", shown)[0]]
    assert '<progress max="5" value="2"' in shown
    assert "s left" in shown
    while 'id="go-on"' in shown:
        sent = fields(shown, "go-on")
        assert sent["pattern"] == DRAFT["pattern"]
        shown = analyst.post("/rules/backtest", data=sent).get_data(as_text=True)
        steps.append(re.findall(r"<strong>(\d+)</strong> of (\d+) events", shown)[0])

    assert steps == [("2", "5"), ("4", "5"), ("5", "5")]
    assert figures(shown)["new"] == "3"


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({"q": "nope:1", "begin": "1"}, "there is no field"),
        ({"range": "2y", "begin": "1"}, "wants one of"),
        ({"range": "", "from": "soon", "begin": "1"}, "wants a time"),
        ({"run": "{}"}, "begin again"),
    ],
)
def test_what_is_wrong_is_said(analyst: FlaskClient, session: Session, sent: dict[str, str], fault: str) -> None:
    rule = stored_rule(session)

    answer = analyst.post(f"/rules/{rule.id}/backtest", data=sent)

    assert answer.status_code == 422
    assert fault in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("sent", "fault"), [({"pattern": "a("}, "missing )"), ({"action": "shout"}, "action"), ({"pattern": ""}, "pattern")]
)
def test_a_draft_that_cannot_run_is_refused_and_not_lost(
    analyst: FlaskClient, session: Session, sent: dict[str, str], fault: str
) -> None:
    answer = analyst.post("/rules/backtest", data=DRAFT | sent | {"begin": "1"})

    shown = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert fault in shown
    assert "Looks for greetings." in shown


def test_one_gets_back_to_the_draft(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    draft = DRAFT | {"rule": str(rule.id), "version": "1", "must_match": "hello", "begin": "1"}
    shown = analyst.post("/rules/backtest", data=draft).get_data(as_text=True)
    assert f'action="/rules/{rule.id}/edit"' in shown
    sent = fields(shown, "begin")

    shown = analyst.post(f"/rules/{rule.id}/edit", data=sent | {"check": "Check"}).get_data(as_text=True)

    assert "Looks for greetings." in shown
    assert "good day" in shown
    session.expire_all()
    assert rule.version == 1
