"""What a draft would have done to stored events, step by step."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import RuleSpec
from bastion.errors import InvalidInput, InvalidRule
from bastion.models import Event, RuleTrigger
from bastion.runtime import Runtime
from bastion.services.rules.backtest import Backtest, Change, Cursor, Outcome, Pair, Step, since, total
from tests.factories import rule_spec, stored_event, stored_rule

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(session: Session, test: Backtest, rows: int = 3, start: datetime | None = None) -> tuple[list[Step], Outcome]:
    """All steps of a backtest of one pair, and its outcomes together."""
    steps: list[Step] = []
    whole = Outcome()
    cursor = None
    while not steps or cursor is not None:
        steps.append(test.step(session, since(start), cursor, buckets=[NOON, NOON + timedelta(hours=2)], rows=rows))
        cursor = steps[-1].cursor
        whole.add(steps[-1].outcomes[0])
    return steps, whole


def pair(parts: Runtime, draft: RuleSpec, saved: RuleSpec | None = None) -> Backtest:
    return Backtest([Pair(draft, saved)], parts.trying)


def store_texts(session: Session, *texts: str | None) -> list[int]:
    return [
        stored_event(session, prompt=text, timestamp=NOON + timedelta(hours=hour)).id for hour, text in enumerate(texts)
    ]


def test_what_is_new_lost_and_the_same(session: Session, parts: Runtime) -> None:
    ids = store_texts(session, "alpha", "beta", "alpha beta", "gamma", None)
    rule = stored_rule(session, pattern="alpha")

    steps, outcome = run(session, pair(parts, rule_spec(uuid=rule.uuid, pattern="beta"), rule.spec))

    assert outcome.changes == {Change.LOST: 1, Change.NEW: 1, Change.SAME: 1}
    assert [(found.id, found.change) for found in outcome.found] == [
        (ids[2], Change.SAME),
        (ids[1], Change.NEW),
        (ids[0], Change.LOST),
    ]
    assert [(step.looked_at, step.untestable) for step in steps] == [(3, 1), (2, 0)]
    assert outcome.by_time == {
        NOON: {Change.LOST: 1, Change.NEW: 1},
        NOON + timedelta(hours=2): {Change.SAME: 1},
    }


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_steps_of_any_size_find_the_same(session: Session, parts: Runtime, rows: int) -> None:
    """Also among events of one time."""
    for number in range(11):
        stored_event(session, prompt=f"text {number}", timestamp=NOON)

    steps, outcome = run(session, pair(parts, rule_spec(pattern=r"text \d\b")), rows)

    assert outcome.changes == {Change.NEW: 10}
    assert sum(step.looked_at for step in steps) == 11
    assert len({found.id for found in outcome.found}) == 10


def test_disguised_texts_are_found_as_they_would_be(session: Session, parts: Runtime) -> None:
    store_texts(session, "ｓｅｃｒｅｔ", "c2VjcmV0IG9mIG1hbnkgd29yZHM=")

    _, outcome = run(session, pair(parts, rule_spec(pattern="secret")))

    assert outcome.changes == {Change.NEW: 2}
    assert outcome.found[1].matched == "ｓｅｃｒｅｔ"


def test_a_range_bounds_it_and_nothing_is_written(session: Session, parts: Runtime) -> None:
    store_texts(session, "old", "old", "new")
    before = (
        session.scalar(sa.select(sa.func.count(Event.id))),
        session.scalar(sa.select(sa.func.count(RuleTrigger.id))),
    )

    steps, outcome = run(session, pair(parts, rule_spec(pattern="old|new")), start=NOON + timedelta(hours=1))

    assert outcome.changes == {Change.NEW: 2}
    assert total(session, since(NOON + timedelta(hours=1))) == 2
    assert steps[-1].cursor is None
    session.expire_all()
    after = session.scalar(sa.select(sa.func.count(Event.id))), session.scalar(sa.select(sa.func.count(RuleTrigger.id)))
    assert after == before
    assert not session.new
    assert not session.dirty


def test_judgements_of_what_the_draft_still_matches_are_counted(session: Session, parts: Runtime) -> None:
    rule, other = stored_rule(session, pattern="a"), stored_rule(session, pattern="b")
    wrong = stored_event(session, prompt="a x", rules=(rule, other))
    right = stored_event(session, prompt="a y", rules=(rule,))
    silenced = stored_event(session, prompt="a z", rules=(rule,))
    for event, disposition in ((wrong, "false_positive"), (right, "true_positive"), (silenced, "false_positive")):
        trigger = session.scalars(sa.select(RuleTrigger).where(RuleTrigger.event_id == event.id)).first()
        assert trigger is not None
        trigger.disposition = disposition
    session.commit()

    _, outcome = run(session, pair(parts, rule_spec(uuid=rule.uuid, pattern="a [xy]"), rule.spec))

    assert outcome.changes == {Change.SAME: 2, Change.LOST: 1}
    assert (outcome.judged, outcome.false_positives) == (2, 1)


def test_a_step_ends_when_its_time_is_up(session: Session, parts: Runtime) -> None:
    store_texts(session, *["text"] * 5)

    step = pair(parts, rule_spec(pattern="text")).step(session, [], seconds=0)

    assert (step.looked_at, step.cursor is not None) == (1, True)


def test_a_draft_that_cannot_run_is_refused(parts: Runtime) -> None:
    with pytest.raises(InvalidRule, match="column 3"):
        pair(parts, rule_spec(pattern="a("))


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(NOON + timedelta(microseconds=7), 12)

    assert Cursor.read(str(cursor)) == cursor
    for wrong in (
        "",
        "_",
        "now_1",
        f"{NOON.isoformat()}_-1",
        f"{NOON.isoformat()}_x",
        "2026-11-20T12:00:00_1",
        f"{cursor}0" * 9,
    ):
        with pytest.raises(InvalidInput, match="cursor"):
            Cursor.read(wrong)


def test_rules_that_are_tried_are_compiled_once(parts: Runtime) -> None:
    first = parts.trying({"tried once"})

    assert parts.trying({"tried once"})[0] is first[0]
    for number in range(9):
        parts.trying({f"another {number}"})
    assert parts.trying({"tried once"})[0] is not first[0]
