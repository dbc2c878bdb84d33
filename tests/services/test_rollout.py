"""The ladder of a rule, and what a step changes."""

from collections import Counter
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action, ExceptionKind
from bastion.errors import Conflict, InvalidRule
from bastion.models import Rule, utc_now
from bastion.runtime import Runtime
from bastion.services.rules import rollout
from bastion.services.rules.exceptions import add_exception, new_exception
from bastion.services.rules.history import versions
from bastion.services.rules.rollout import Effect, Policies, Stage, effect_of, stage_of, take_step
from tests.factories import stored_event, stored_rule

SAMPLES = {"must_match": ("ignore previous",), "must_not_match": ("hello",)}


def draft(session: Session) -> Rule:
    return stored_rule(session, enabled=False, action=Action.NOTIFY, **SAMPLES)


def effect(session: Session, parts: Runtime, rule: Rule, stage: Stage, policies: Policies = Policies()) -> Effect:  # noqa: B008
    return effect_of(session, rule.spec, stage, policies, parts.trying)


def yesterday(session: Session) -> None:
    """Four texts of the last 24 hours that the rule matches, two that it does not, one without text; an older one."""
    now = utc_now()
    for number, (status, flow) in enumerate(
        [("allow", "default"), ("notify", "default"), ("block", "default"), ("allow", "trial")]
    ):
        stored_event(session, status=status, flow_name=flow, timestamp=now - timedelta(hours=number + 1))
    stored_event(session, prompt="hello", timestamp=now - timedelta(hours=5))
    stored_event(session, prompt="hello", timestamp=now - timedelta(hours=5), status="block")
    stored_event(session, prompt=None, timestamp=now - timedelta(hours=6))
    stored_event(session, timestamp=now - timedelta(hours=25))


def test_steps_up_and_down_are_versions(session: Session) -> None:
    rule = draft(session)
    stages = [stage_of(rule)]
    for stage in (Stage.MONITOR, Stage.ENFORCE, Stage.MONITOR, Stage.DRAFT):
        take_step(session, rule, stage, rule.version, actor="ann", why=None)
        stages.append(stage_of(rule))
    session.commit()
    session.expire_all()

    assert stages == ["draft", "monitor", "enforce", "monitor", "draft"]
    assert rule.version == 5
    assert [one.why for one in versions(rule)][:2] == ["rolled out: monitor to draft", "rolled out: enforce to monitor"]
    assert versions(rule)[0].by == "ann"


def test_a_rule_without_samples_does_not_get_to_block(session: Session) -> None:
    rule = stored_rule(session, action=Action.NOTIFY)

    with pytest.raises(InvalidRule):
        take_step(session, rule, Stage.ENFORCE, 1, actor="ann", why=None)

    assert stage_of(rule) is Stage.MONITOR


def test_a_step_is_taken_from_the_version_that_was_looked_at(session: Session) -> None:
    rule = draft(session)
    take_step(session, rule, Stage.MONITOR, 1, actor="ann", why="first")

    with pytest.raises(Conflict):
        take_step(session, rule, Stage.ENFORCE, 1, actor="ben", why=None)


def test_what_monitoring_would_report(session: Session, parts: Runtime) -> None:
    yesterday(session)

    found = effect(session, parts, draft(session), Stage.MONITOR)

    assert (found.events, found.looked_at, found.untestable) == (7, 7, 1)
    assert found.by_status == Counter({"allow": 2, "notify": 1, "block": 1})
    assert (found.matched, found.raised, found.watched, found.elsewhere) == (4, 2, 0, 0)
    assert len(found.found) == 4


def test_what_enforcing_would_block(session: Session, parts: Runtime) -> None:
    yesterday(session)
    rule = draft(session)

    found = effect(session, parts, rule, Stage.ENFORCE)
    watched = effect(session, parts, rule, Stage.ENFORCE, Policies(monitoring={"trial"}))
    deaf = effect(session, parts, rule, Stage.ENFORCE, Policies(deaf={"default"}))

    assert (found.matched, found.raised) == (4, 3)
    assert (watched.matched, watched.raised, watched.watched) == (4, 3, 1)
    assert (deaf.matched, deaf.raised, deaf.elsewhere) == (1, 1, 3)


def test_exceptions_count(session: Session, parts: Runtime) -> None:
    yesterday(session)
    rule = draft(session)
    one = new_exception(ExceptionKind.FLOW, "default", "ours", None, "ann")
    add_exception(session, rule, one, None, actor="ann")
    session.commit()

    assert effect(session, parts, rule, Stage.ENFORCE).by_status == Counter({"allow": 1})


def test_it_is_bounded_in_rows_and_says_so(session: Session, parts: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    yesterday(session)
    monkeypatch.setattr(rollout, "ROWS", 3)

    found = effect(session, parts, draft(session), Stage.MONITOR)

    assert (found.looked_at, found.events) == (3, 7)


def test_the_page_says_what_the_step_changes_and_takes_it(analyst: FlaskClient, session: Session) -> None:
    yesterday(session)
    rule = draft(session)
    shown = analyst.get(f"/rules/{rule.id}").get_data(as_text=True)
    assert f'href="/rules/{rule.id}/rollout?to=monitor"' in shown
    assert "to=enforce" not in shown

    shown = analyst.get(f"/rules/{rule.id}/rollout?to=monitor").get_data(as_text=True)
    assert "matches <strong>4 events</strong> of 7." in " ".join(shown.split())
    assert "<strong>2 events</strong> that were allowed without a word would be reported." in shown
    assert "Of 1 event no text was kept" in shown

    answer = analyst.post(f"/rules/{rule.id}/rollout?to=monitor", data={"seen": "1", "comment": "looks good"})
    assert answer.headers["Location"] == f"/rules/{rule.id}"
    shown = analyst.get(f"/rules/{rule.id}/rollout?to=enforce").get_data(as_text=True)
    assert "<strong>3 events</strong> that were not blocked would be." in shown
    analyst.post(f"/rules/{rule.id}/rollout?to=enforce", data={"seen": "2"})

    session.expire_all()
    assert (rule.enabled, rule.action, rule.version) == (True, "block", 3)
    assert "looks good" in analyst.get(f"/rules/{rule.id}/history").get_data(as_text=True)
    assert "It is on this step" in analyst.get(f"/rules/{rule.id}/rollout?to=enforce").get_data(as_text=True)


def test_the_page_says_why_a_step_is_not_taken(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, action=Action.NOTIFY)
    path = f"/rules/{rule.id}/rollout"

    old = analyst.post(f"{path}?to=draft", data={"seen": "7"})
    lacking = analyst.post(f"{path}?to=enforce", data={"seen": "1"})

    assert (old.status_code, lacking.status_code) == (409, 422)
    assert "look at it again" in old.get_data(as_text=True)
    assert "wants at least one text" in lacking.get_data(as_text=True)
    assert "There are none" in lacking.get_data(as_text=True)
    assert analyst.get(f"{path}?to=heaven").status_code == 422
    assert analyst.post(f"{path}?to=draft", data={"seen": "x"}).status_code == 422
    session.expire_all()
    assert rule.version == 1
