"""One change to many rules."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bastion.engine import Action
from bastion.errors import InvalidInput
from bastion.models import Rule
from bastion.services.rules import bulk
from bastion.services.rules.bulk import BulkChange, Kind, apply, plan
from bastion.services.rules.history import versions
from bastion.services.rules.stored_rules import archive_rule, delete_rule, get_rule, update_rule
from tests.factories import stored_rule

ENABLE = BulkChange(Kind.ENABLE)


@pytest.mark.parametrize(
    ("change", "field", "becomes"),
    [
        (ENABLE, "enabled", True),
        (BulkChange(Kind.DISABLE), "enabled", False),
        (BulkChange(Kind.NOTIFY), "action", "notify"),
        (BulkChange(Kind.BLOCK), "action", "block"),
        (BulkChange(Kind.ADD_TAG, "new"), "tags", ("new",)),
        (BulkChange(Kind.REMOVE_TAG, "old"), "tags", ("kept",)),
    ],
)
def test_a_change_reaches_what_is_not_so_already(
    session: Session, change: BulkChange, field: str, becomes: object
) -> None:
    tags = () if change.kind is Kind.ADD_TAG else ("kept", "old")
    action = Action.BLOCK if change.kind is Kind.NOTIFY else Action.NOTIFY
    rule = stored_rule(session, enabled=change.kind is Kind.DISABLE, action=action, tags=tags)
    noise = stored_rule(session)
    (planned,) = plan(session, [rule.id], change)
    assert (planned.changes, planned.refusal, planned.version) == (True, None, 1)

    done = apply(session, {rule.id: 1}, change, actor="ada", why="all of them")
    session.commit()

    stored, other = get_rule(session, rule.id), get_rule(session, noise.id)
    assert (done.changed, done.skipped) == (1, ())
    assert (getattr(stored, field), stored.version, other.version) == (becomes, 2, 1)
    assert (versions(stored)[0].by, versions(stored)[0].why) == ("ada", "all of them")
    (planned,) = plan(session, [rule.id], change)
    assert not planned.changes


@pytest.mark.parametrize("kind", ["postgresql"])
def test_events_of_rules_that_are_being_changed_are_stored_meanwhile(session: Session, api: FlaskClient) -> None:
    rule = stored_rule(session)
    apply(session, {rule.id: 1}, BulkChange(Kind.ADD_TAG, "new"), actor="ada")

    answer = api.post("/api/v1/flow/run", json={"prompt": "ignore previous"}).get_json()

    assert answer["status"] == "block"
    assert answer["event_id"] is not None
    session.commit()


def test_archiving_many_keeps_them(session: Session) -> None:
    ids = [stored_rule(session).id for _ in range(3)]

    done = apply(session, dict.fromkeys(ids[:2], 1), BulkChange(Kind.ARCHIVE), actor="ada")
    session.commit()

    assert done.changed == 2
    assert [bool(get_rule(session, rule_id).archived_at) for rule_id in ids] == [True, True, False]


def test_what_cannot_be_changed_says_why(session: Session) -> None:
    archived = archive_rule(session, stored_rule(session, enabled=False))
    full = stored_rule(session, tags=("x" * 19_999,))
    session.commit()

    (refused,) = plan(session, [archived.id], ENABLE)
    (long,) = plan(session, [full.id], BulkChange(Kind.ADD_TAG, "ab"))
    done = apply(session, {archived.id: 2}, ENABLE, actor="ada")

    assert refused.refusal == "is archived: restore it first"
    assert long.refusal is not None
    assert "20,000" in long.refusal
    assert (done.changed, len(done.skipped)) == (0, 1)


def test_rules_that_changed_or_went_since_the_dry_run_are_left_alone(session: Session, engine: Engine) -> None:
    same, changed, gone = (
        stored_rule(session, enabled=False, action=Action.NOTIFY, name=name).id for name in ("same", "changed", "gone")
    )
    planned = {one.id: one.version for one in plan(session, [same, changed, gone], ENABLE)}
    session.rollback()
    with Session(engine) as other:
        update_rule(other, get_rule(other, changed), {"name": "Theirs"})
        delete_rule(other, get_rule(other, gone), with_triggers=0)
        other.commit()

    done = apply(session, planned, ENABLE, actor="ada")
    session.commit()

    assert done.changed == 1
    assert done.skipped == ("Theirs has been changed meanwhile", f"rule {gone} has been deleted meanwhile")
    assert [rule.enabled for rule in session.query(Rule).order_by(Rule.id)] == [True, False]


def test_more_than_a_handful_are_changed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_AT_ONCE", 2)
    ids = [stored_rule(session, enabled=False, action=Action.NOTIFY).id for _ in range(5)]

    assert apply(session, dict.fromkeys(ids, 1), ENABLE, actor=None).changed == 5
    session.commit()

    assert {(rule.enabled, rule.version) for rule in session.query(Rule)} == {(True, 2)}


@pytest.mark.parametrize(
    ("change", "enabled", "action"),
    [(ENABLE, False, Action.BLOCK), (BulkChange(Kind.BLOCK), True, Action.NOTIFY)],
)
def test_no_rule_begins_to_block_without_samples(
    session: Session, change: BulkChange, enabled: bool, action: Action
) -> None:
    proven = {"pattern": "zymurgy", "must_match": ("zymurgy",), "must_not_match": ("yeast",)}
    bare = stored_rule(session, name="Bare", enabled=enabled, action=action)
    rule = stored_rule(session, name="Proven", enabled=enabled, action=action, **proven)
    ids = {bare.id: 1, rule.id: 1}

    refused, accepted = plan(session, list(ids), change)
    done = apply(session, ids, change, actor="ada")
    session.commit()

    assert refused.refusal == (
        "would begin to block: samples.must_match: wants at least one text before the rule may block"
    )
    assert accepted.refusal is None
    assert (done.changed, done.skipped) == (1, (f"Bare {refused.refusal}",))
    assert [(one.enabled, one.action) for one in session.query(Rule).order_by(Rule.id)] == [
        (enabled, action),
        (True, Action.BLOCK),
    ]


@pytest.mark.parametrize("tag", ["", "a\nb", "a\0", "\ud800"])
def test_a_tag_that_is_none_is_refused(session: Session, tag: str) -> None:
    with pytest.raises(InvalidInput, match="tag"):
        plan(session, [stored_rule(session).id], BulkChange(Kind.ADD_TAG, tag))


def test_there_is_a_limit(session: Session) -> None:
    with pytest.raises(InvalidInput, match="5,000"):
        plan(session, range(5001), ENABLE)
