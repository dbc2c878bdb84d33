"""What rules do, counted."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from bastion.services.rules import stats
from bastion.services.rules.stats import (
    Precision,
    activity_of,
    calendar_weeks,
    last_days,
    newest_triggers,
    precision_by,
    triggers_by,
)
from tests.factories import stored_event, stored_rule

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # A Wednesday.
HOUR = timedelta(hours=1)


def trigger(session: Session, rule: Rule, ago: timedelta, disposition: str | None = None, **given: object) -> None:
    event = session.query(Event).first() or stored_event(session)
    session.add(
        RuleTrigger(
            event_id=event.id,
            rule_id=rule.id,
            pipeline_name="rule",
            timestamp=NOW - ago,
            disposition=disposition,
            **given,
        )
    )
    session.commit()


def test_triggers_are_counted_by_day_up_to_now(session: Session) -> None:
    rule, noise, silent = stored_rule(session), stored_rule(session), stored_rule(session)
    for hours in (1, 23, 25, 24 * 7 - 1, 24 * 7, 24 * 8):
        trigger(session, rule, HOUR * hours)
    trigger(session, noise, HOUR * 30)
    trigger(session, rule, -HOUR)

    found = activity_of(session, [rule.id, silent.id], NOW)

    assert set(found) == {rule.id, silent.id}
    # A trigger at the very edge of a day is of the later one; one that comes after now is not counted.
    assert found[rule.id].days == (2, 0, 0, 0, 0, 1, 2)
    assert (found[rule.id].day, found[rule.id].week) == (2, 5)
    assert found[rule.id].last == NOW + HOUR
    assert found[silent.id] == stats.RuleActivity((0,) * 7, None, Precision(0, 0))


def test_precision_is_of_what_was_judged_right_or_wrong(session: Session) -> None:
    rule, noise = stored_rule(session), stored_rule(session)
    for disposition in ("true_positive", "benign_positive", "false_positive", "undetermined", None, "false_positive"):
        trigger(session, rule, HOUR, disposition)
    trigger(session, noise, HOUR, "false_positive")

    precision = activity_of(session, [rule.id], NOW)[rule.id].precision

    assert (precision, precision.share) == (Precision(2, 4), 0.5)
    assert Precision(0, 0).share is None


def test_precision_is_found_however_many_were_not_judged_since(session: Session, engine: sa.Engine) -> None:
    rule = stored_rule(session)
    trigger(session, rule, timedelta(days=50), "true_positive")
    for hours in range(20):
        trigger(session, rule, HOUR * hours, None)

    assert activity_of(session, [rule.id], NOW)[rule.id].precision == Precision(1, 1)
    if engine.dialect.name == "sqlite":
        # PostgreSQL reads a table of so few rows whole.
        asked = sa.select(Rule.id, *stats.judgements()).compile(engine, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in session.execute(sa.text(f"EXPLAIN QUERY PLAN {asked}"))]
        assert sum("COVERING INDEX ix_rule_triggers_rule_id_timestamp_disposition" in step for step in plan) == 2


def test_precision_is_of_the_newest_judgements(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "NEWEST", 2)
    rule = stored_rule(session)
    for days, disposition in ((1, "true_positive"), (2, "false_positive"), (3, "false_positive"), (0, None)):
        trigger(session, rule, timedelta(days=days), disposition)

    assert activity_of(session, [rule.id], NOW)[rule.id].precision == Precision(1, 2)


def test_stretches_are_counted_apart(session: Session) -> None:
    rule, noise = stored_rule(session), stored_rule(session)
    for days, disposition in (
        (0, "true_positive"),
        (1, "false_positive"),
        (3, "true_positive"),
        (9, "benign_positive"),
    ):
        trigger(session, rule, timedelta(days=days, seconds=1), disposition)
        trigger(session, noise, timedelta(days=days, seconds=1), "false_positive")

    weeks = calendar_weeks(NOW, 3)

    assert [start.isoformat()[:10] for start, _ in weeks] == ["2026-11-02", "2026-11-09", "2026-11-16"]
    assert precision_by(session, rule.id, weeks) == [Precision(0, 0), Precision(2, 2), Precision(1, 2)]
    assert triggers_by(session, rule.id, last_days(NOW, 10)) == [1, 0, 0, 0, 0, 0, 1, 0, 1, 1]


def test_the_newest_triggers_come_first_and_are_cut_by_the_database(session: Session) -> None:
    rule, noise = stored_rule(session), stored_rule(session)
    for days in (2, 0, 1):
        trigger(session, rule, timedelta(days=days), matched_text=f"{days}" + "x" * 500)
    trigger(session, noise, timedelta())

    found = newest_triggers(session, rule.id, 2, excerpt=5)

    assert [row.excerpt for row in found] == ["0xxxx", "1xxxx"]
