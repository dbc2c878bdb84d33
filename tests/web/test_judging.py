"""What analysts make of triggers."""

import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import RuleTrigger, utc_now
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Scope
from bastion.services.rules.precision import precision_of, wilson_interval
from bastion.services.triggers import judging_many
from tests.conftest import log_in_as
from tests.factories import stored_event, stored_rule


@pytest.fixture
def trigger(session: Session) -> RuleTrigger:
    stored_event(session, rules=(stored_rule(session),))
    return session.query(RuleTrigger).one()


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the form that judges many."""
    form = page.split('action="/triggers/judge')[1].split("</form>", maxsplit=1)[0]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in found if name != "csrf_token"}


def judge_all(client: FlaskClient, query: str, **said: str) -> str:
    """The page after judging all that the query selects."""
    fields = fields_of(client.get(f"/triggers/judge?{query}").get_data(as_text=True))
    answer = client.post(f"/triggers/judge?{query}", data=fields | said, follow_redirects=True)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def dispositions(session: Session) -> list[str | None]:
    session.expire_all()
    return list(session.scalars(sa.select(RuleTrigger.disposition).order_by(RuleTrigger.id)))


def test_a_judgement_is_kept_with_who_and_when(analyst: FlaskClient, session: Session, trigger: RuleTrigger) -> None:
    form = {"disposition": "false_positive", "note": "a test\r\nof ours ", "seen": "", "back": "/events/1?q=x#match-1"}

    answer = analyst.post(f"/triggers/{trigger.id}/judgement", data=form)

    assert answer.headers["Location"] == "/events/1?q=x#match-1"
    session.refresh(trigger)
    assert (trigger.disposition, trigger.note, trigger.reviewed_by) == ("false_positive", "a test\nof ours", "analyst")
    assert trigger.reviewed_at is not None
    assert abs(utc_now() - trigger.reviewed_at) < timedelta(minutes=5)
    page = analyst.get(f"/events/{trigger.event_id}").get_data(as_text=True)
    assert 'value="false_positive" data-key="f"' in page
    assert page.count('aria-pressed="true"') == 1


def test_the_last_judgement_holds_and_can_be_taken_back(
    analyst: FlaskClient, session: Session, trigger: RuleTrigger
) -> None:
    for disposition, note in (("true_positive", "why"), ("undetermined", None)):
        form = {"disposition": disposition} | ({"note": note} if note else {})
        analyst.post(f"/triggers/{trigger.id}/judgement", data=form)
    session.refresh(trigger)
    assert (trigger.disposition, trigger.note) == ("undetermined", "why")

    analyst.post(f"/triggers/{trigger.id}/judgement", data={"disposition": "none"})

    session.refresh(trigger)
    found = trigger.disposition, trigger.note, trigger.reviewed_by, trigger.reviewed_at
    assert found == (None, None, None, None)


def test_a_judgement_that_somebody_else_made_meanwhile_is_not_overwritten(
    app: Flask, analyst: FlaskClient, admin: FlaskClient, session: Session, trigger: RuleTrigger
) -> None:
    seen = {"seen": "", "back": f"/events/{trigger.event_id}"}
    admin.post(f"/triggers/{trigger.id}/judgement", data={"disposition": "true_positive", **seen})

    page = analyst.post(
        f"/triggers/{trigger.id}/judgement", data={"disposition": "false_positive", **seen}, follow_redirects=True
    ).get_data(as_text=True)

    assert "Not judged: meanwhile admin judged it true positive" in page
    assert dispositions(session) == ["true_positive"]
    # The page has the new state now, so that the same button says it of what is seen.
    again = re.search(r'name="seen" value="([^"]+)"', page)
    assert again
    analyst.post(f"/triggers/{trigger.id}/judgement", data={"disposition": "false_positive", "seen": again[1]})
    assert dispositions(session) == ["false_positive"]


def test_a_script_gets_the_trigger_s_new_state_alone(analyst: FlaskClient, trigger: RuleTrigger) -> None:
    path, fragment = f"/triggers/{trigger.id}/judgement", {"X-Fragment": "1"}

    done = analyst.post(path, data={"disposition": "true_positive", "seen": ""}, headers=fragment)
    late = analyst.post(path, data={"disposition": "true_positive", "seen": ""}, headers=fragment)
    back = "/triggers/?q=disposition:unjudged"
    compact = analyst.post(path, data={"disposition": "none", "compact": "1", "back": back}, headers=fragment)

    assert done.status_code == 200
    assert "<html" not in done.get_data(as_text=True)
    assert "true positive</span>" in done.get_data(as_text=True)
    assert late.status_code == 409
    assert "Not judged: meanwhile analyst judged it true positive" in late.get_data(as_text=True)
    assert "textarea" not in compact.get_data(as_text=True)
    assert 'href="/triggers/?q=disposition%3Aunjudged"' in compact.get_data(as_text=True)


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 422),
        ({"disposition": "nice"}, 422),
        ({"disposition": "true_positive", "seen": "yesterday"}, 422),
    ],
)
def test_what_no_button_sends_is_refused(
    analyst: FlaskClient, session: Session, trigger: RuleTrigger, form: dict[str, str], status: int
) -> None:
    assert analyst.post(f"/triggers/{trigger.id}/judgement", data=form).status_code == status
    assert dispositions(session) == [None]


@pytest.mark.parametrize("note", ["x" * 2001, "a\0b"])
def test_a_note_that_cannot_be_kept_is_refused_with_the_reason(
    analyst: FlaskClient, session: Session, trigger: RuleTrigger, note: str
) -> None:
    form = {"disposition": "true_positive", "note": note, "back": f"/events/{trigger.event_id}"}

    page = analyst.post(f"/triggers/{trigger.id}/judgement", data=form, follow_redirects=True).get_data(as_text=True)

    assert "Not judged: note: has" in page
    assert dispositions(session) == [None]


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_one_is_sent_back_to_this_site_alone(analyst: FlaskClient, trigger: RuleTrigger, back: str) -> None:
    answer = analyst.post(f"/triggers/{trigger.id}/judgement", data={"disposition": "none", "back": back})

    assert answer.headers["Location"] == "/triggers/"


def test_viewers_see_judgements_and_no_buttons(app: Flask, session: Session, trigger: RuleTrigger) -> None:
    trigger.disposition, trigger.note, trigger.reviewed_by = "true_positive", "for <you>", "ada"
    session.commit()
    viewer = log_in_as(app, Role.VIEWER)

    page = viewer.get(f"/events/{trigger.event_id}").get_data(as_text=True)

    assert "true positive" in page
    assert "for &lt;you&gt;" in page
    assert "data-judge>" not in page
    assert viewer.post(f"/triggers/{trigger.id}/judgement", data={"disposition": "none"}).status_code == 403


def test_all_that_the_search_selects_are_judged_and_nothing_that_came_later(
    analyst: FlaskClient, session: Session
) -> None:
    wanted, other = stored_rule(session, name="Wanted"), stored_rule(session, name="Other")
    for _ in range(3):
        stored_event(session, rules=(wanted, other))
    query = f"q=rule:%23{wanted.id}"
    page = analyst.get(f"/triggers/judge?{query}").get_data(as_text=True)
    assert "<strong>3 triggers</strong>" in page
    stored_event(session, rules=(wanted,))

    said = {"disposition": "benign_positive", "note": "our tests"}
    done = analyst.post(f"/triggers/judge?{query}", data=fields_of(page) | said, follow_redirects=True)

    assert "<strong>3 triggers</strong> are benign positive" in done.get_data(as_text=True)
    assert dispositions(session) == ["benign_positive", None] * 3 + [None]
    assert set(session.scalars(sa.select(RuleTrigger.note))) == {"our tests", None}


def test_judged_triggers_stay_unless_they_are_to_be_replaced(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    for _ in range(3):
        stored_event(session, rules=(rule,))
    first = session.get(RuleTrigger, 1)
    assert first
    first.disposition, first.reviewed_by, first.reviewed_at = "true_positive", "ada", utc_now()
    session.commit()

    page = judge_all(analyst, "", disposition="false_positive")
    assert "1 had been judged before and stay" in page
    assert dispositions(session) == ["true_positive", "false_positive", "false_positive"]

    page = judge_all(analyst, "", disposition="undetermined", replace="1")
    assert "3 had another judgement" in page
    assert dispositions(session) == ["undetermined"] * 3


def test_what_somebody_judged_since_the_search_was_seen_is_left_and_said(
    analyst: FlaskClient, session: Session
) -> None:
    rule = stored_rule(session)
    for _ in range(2):
        stored_event(session, rules=(rule,))
    fields = fields_of(analyst.get("/triggers/judge").get_data(as_text=True))
    first = session.get(RuleTrigger, 1)
    assert first
    first.disposition, first.reviewed_by, first.reviewed_at = "true_positive", "ada", utc_now()
    session.commit()

    said = {"disposition": "false_positive", "replace": "1"}
    page = analyst.post("/triggers/judge", data=fields | said, follow_redirects=True).get_data(as_text=True)

    assert "1 was judged by somebody else meanwhile" in page
    assert dispositions(session) == ["true_positive", "false_positive"]


def test_a_judgement_of_many_is_undone_but_for_what_was_judged_anew(
    app: Flask, analyst: FlaskClient, session: Session
) -> None:
    rule = stored_rule(session)
    for _ in range(3):
        stored_event(session, rules=(rule,))
    page = judge_all(analyst, "q=disposition:unjudged", disposition="true_positive")
    undo = re.search(r'action="(/triggers/judged/[^"]+/undo[^"]*)"', page)
    assert undo
    analyst.post("/triggers/2/judgement", data={"disposition": "false_positive"})
    # Others cannot undo it.
    log_in_as(app, Role.ADMIN).post(unescape(undo[1]))
    assert dispositions(session) == ["true_positive", "false_positive", "true_positive"]

    answer = analyst.post(unescape(undo[1]), follow_redirects=True).get_data(as_text=True)

    assert "Took back the judgement of 2 triggers" in answer
    assert dispositions(session) == [None, "false_positive", None]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_it_is_too_late_to_undo_after_an_hour(analyst: FlaskClient) -> None:
    before = (utc_now() - timedelta(hours=2)).isoformat()

    assert analyst.post(f"/triggers/judged/{before}/undo").status_code == 409
    assert analyst.post("/triggers/judged/nonsense/undo").status_code == 422


def test_more_than_one_request_can_judge_goes_on_where_it_stopped(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging_many, "BATCH", 2)
    monkeypatch.setattr("bastion.web.judging.JUDGE_SECONDS", timedelta(microseconds=1))
    rule = stored_rule(session)
    for _ in range(5):
        stored_event(session, rules=(rule,))
    fields = fields_of(analyst.get("/triggers/judge").get_data(as_text=True)) | {"disposition": "true_positive"}

    pages = []
    for _ in range(4):
        answer = analyst.post("/triggers/judge", data=fields)
        pages.append(answer.status_code)
        if answer.status_code == 302:
            break
        fields = fields_of(answer.get_data(as_text=True))

    assert pages == [200, 200, 302]
    assert dispositions(session) == ["true_positive"] * 5
    assert "<strong>5 triggers" in analyst.get(answer.headers["Location"]).get_data(as_text=True)


def test_no_more_than_a_bounded_number_is_judged(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging_many, "MAX_AT_ONCE", 3)
    monkeypatch.setattr(judging_many, "BATCH", 2)
    rule = stored_rule(session)
    for _ in range(5):
        stored_event(session, rules=(rule,))

    page = analyst.get("/triggers/judge").get_data(as_text=True)
    assert "<strong>3+ triggers</strong>" in page
    assert "One judgement reaches 3 triggers: the newest of them" in page
    judge_all(analyst, "", disposition="true_positive")

    assert dispositions(session) == [None, None, *["true_positive"] * 3]


@pytest.mark.parametrize("looked_at", [1, 2, 100])
def test_what_would_be_judged_is_counted_in_steps_of_any_size(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr(judging_many, "LOOKED_AT", looked_at)
    rule, noise = stored_rule(session), stored_rule(session)
    for disposition in ("true_positive", None, None, "false_positive", None):
        stored_event(session, rules=(noise, rule)).triggers[1].disposition = disposition
    session.commit()

    page = analyst.get(f"/triggers/judge?q=rule%3A%23{rule.id}").get_data(as_text=True)

    assert "<strong>5 triggers</strong>" in page
    assert "2 of them have been judged already" in page


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    "wrong",
    [{"newest": "x"}, {"seen_at": ""}, {"bookmark": "<<"}, {"disposition": "none"}, {"since": "x"}, {"left": "-1"}],
)
def test_a_form_that_no_page_has_sent_is_refused(analyst: FlaskClient, session: Session, wrong: dict[str, str]) -> None:
    stored_event(session, rules=(stored_rule(session),))
    fields = fields_of(analyst.get("/triggers/judge").get_data(as_text=True)) | {"disposition": "true_positive"}

    assert analyst.post("/triggers/judge", data=fields | wrong).status_code == 422
    assert dispositions(session) == [None]


def test_precision_comes_with_its_number_of_judgements(analyst: FlaskClient, session: Session) -> None:
    rule, unjudged = stored_rule(session), stored_rule(session)
    for disposition in ("true_positive", "benign_positive", "true_positive", "false_positive", "undetermined", None):
        event = stored_event(session, rules=(rule, unjudged))
        event.triggers[0].disposition = disposition
    session.commit()

    found = precision_of(session, [rule.id, unjudged.id])

    assert (found[rule.id].right, found[rule.id].judged, found[rule.id].share) == (3, 4, 0.75)
    assert (found[unjudged.id].judged, found[unjudged.id].interval) == (0, (0.0, 1.0))
    page = analyst.get(f"/events/{event.uid}").get_data(as_text=True)
    assert "75% precise, n = 4" in page
    assert "between 30% and 95%" in page
    assert "precision not known, n = 0" in page


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)]
)
def test_the_interval_is_wilsons(right: int, judged: int, low: float, high: float) -> None:
    # The last from Newcombe, Statistics in Medicine 17 (1998), table I.
    assert wilson_interval(right, judged) == pytest.approx((low, high), abs=1e-4)


def test_the_api_judges_and_finds_triggers(
    api: FlaskClient,
    session: Session,
    scoped,
    trigger: RuleTrigger,  # type: ignore[no-untyped-def]
) -> None:
    path = f"/api/v1/triggers/{trigger.id}/judgement"

    done = api.post(path, json={"disposition": "true_positive", "note": "seen"})

    assert done.status_code == 200
    body = done.get_json()
    assert (body["disposition"], body["note"], body["reviewed_by"]) == ("true_positive", "seen", "token test")
    late = api.post(path, json={"disposition": "false_positive", "replaces": None})
    assert (late.status_code, late.get_json()["error"]) == (409, "conflict")
    assert api.post(path, json={"disposition": None, "replaces": body["reviewed_at"]}).get_json()["disposition"] is None
    assert api.post("/api/v1/triggers/999/judgement", json={"disposition": None}).status_code == 404
    for wrong in (
        {},
        {"disposition": "nice"},
        {"disposition": None, "note": 3},
        {"disposition": None, "replaces": "x"},
    ):
        assert api.post(path, json=wrong).status_code == 422
    assert scoped(Scope.READ).post(path, json={"disposition": None}).status_code == 403


def test_the_api_pages_through_what_a_search_selects(api: FlaskClient, session: Session) -> None:
    wanted, other = stored_rule(session), stored_rule(session)
    for _ in range(5):
        stored_event(session, rules=(wanted, other))

    found: list[int] = []
    page = ""
    for _ in range(4):
        body = api.get(f"/api/v1/triggers?q=rule:%23{wanted.id}&limit=2{page}").get_json()
        found += [one["id"] for one in body["triggers"]]
        if body["next"] is None:
            break
        page = f"&page={body['next'].replace('+', '%2B')}"

    mine = sa.select(RuleTrigger.id).where(RuleTrigger.rule_id == wanted.id)
    assert found == list(session.scalars(mine.order_by(RuleTrigger.id.desc())))
    for wrong in ("q=nope:1", "limit=0", "page=x", "range=1y", "from=x", "range=7d&from=2026-01-01"):
        assert api.get(f"/api/v1/triggers?{wrong}").status_code == 422
