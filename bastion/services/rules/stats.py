"""What rules do: how often they match, and how often that was right.

Counts are asked of an index, rule by rule and stretch by stretch: it counts a range without looking at its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger

Stretch = tuple[datetime, datetime]
"""From a time, inclusive, to another, exclusive."""

DAYS: Final = 7
"""Bars of a sparkline, the last of which is the last 24 hours."""

RIGHT: Final = ("true_positive", "benign_positive")
DECIDED: Final = (*RIGHT, "false_positive")
"""The judgements that precision is made of: an undetermined one says nothing of the rule."""

NEWEST: Final = 200
"""Judged triggers of a rule that its precision is of: what it did last year is not what it does today."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Of the newest triggers that analysts have judged, how many matched what the rule is for.

    A benign positive is right: the rule found what it looks for, though nobody minds it there.
    """

    right: int
    judged: int

    @property
    def share(self) -> float | None:
        return self.right / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class RuleActivity:
    """How often one rule matched, day by day, oldest first; the last day ends now."""

    days: tuple[int, ...]
    last: datetime | None
    precision: Precision

    @property
    def day(self) -> int:
        return self.days[-1]

    @property
    def week(self) -> int:
        return sum(self.days[-7:])


def last_days(now: datetime, count: int = DAYS) -> list[Stretch]:
    """Stretches of 24 hours up to now, oldest first."""
    day = timedelta(days=1)
    return [(now - day * (count - place), now - day * (count - place - 1)) for place in range(count)]


def calendar_weeks(now: datetime, count: int) -> list[Stretch]:
    """Weeks that begin on Mondays in UTC, the last of which is not over."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday())
    week = timedelta(weeks=1)
    return [(monday - week * (count - place - 1), monday - week * (count - place - 2)) for place in range(count)]


def activity_of(session: Session, rule_ids: Sequence[int], now: datetime, days: int = DAYS) -> dict[int, RuleActivity]:
    """What the rules did in the last days, and how they were judged: one query, however many rules there are."""
    counts = [_count(*_within(stretch)) for stretch in last_days(now, days)]
    chosen = sa.select(Rule.id, *_labelled([last_trigger(), *judgements(), *counts]))
    return {
        rule_id: RuleActivity(tuple(by_day), last, Precision(right, judged))
        for rule_id, last, right, judged, *by_day in session.execute(chosen.where(Rule.id.in_(rule_ids)))
    }


def triggers_by(session: Session, rule_id: int, stretches: Sequence[Stretch]) -> list[int]:
    """How often a rule matched in each stretch."""
    counts = [_count(*_within(stretch)) for stretch in stretches]
    return list(session.execute(sa.select(*_labelled(counts)).where(Rule.id == rule_id)).one())


def precision_by(session: Session, rule_id: int, stretches: Sequence[Stretch]) -> list[Precision]:
    """How a rule's triggers of each stretch were judged."""
    columns = [
        _count(RuleTrigger.disposition.in_(dispositions), *_within(stretch))
        for stretch in stretches
        for dispositions in (RIGHT, DECIDED)
    ]
    found = session.execute(sa.select(*_labelled(columns)).where(Rule.id == rule_id)).one()
    return [Precision(right, judged) for right, judged in zip(found[::2], found[1::2], strict=True)]


def last_trigger() -> sa.ScalarSelect[Any]:
    """When the rule of the enclosing query last matched."""
    newest = sa.select(sa.func.max(RuleTrigger.timestamp)).where(RuleTrigger.rule_id == Rule.id)
    return newest.correlate(Rule).scalar_subquery()


def triggers_since(moment: datetime) -> sa.ColumnElement[int]:
    """How often the rule of the enclosing query has matched since then."""
    return _count(RuleTrigger.timestamp >= moment)


def judgements() -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """Of the newest judged triggers of the rule of the enclosing query, how many were right, and how many there are."""
    newest = (
        sa.select(RuleTrigger.disposition)
        .where(RuleTrigger.rule_id == Rule.id, RuleTrigger.disposition.in_(DECIDED))
        .order_by(RuleTrigger.timestamp.desc())
        .limit(NEWEST)
        .correlate(Rule)
        .subquery()
    )
    right = sa.select(sa.func.count()).where(newest.c.disposition.in_(RIGHT)).scalar_subquery()
    return right, sa.select(sa.func.count()).select_from(newest).scalar_subquery()


def newest_triggers(session: Session, rule_id: int, limit: int, excerpt: int = 300) -> Sequence[sa.Row[Any]]:
    """The newest triggers of a rule, with the beginning of what each matched."""
    chosen = (
        sa.select(
            RuleTrigger.id,
            RuleTrigger.timestamp,
            RuleTrigger.rule_version,
            RuleTrigger.action,
            RuleTrigger.view,
            RuleTrigger.disposition,
            sa.func.substr(RuleTrigger.matched_text, 1, excerpt).label("excerpt"),
            Event.uid.label("event_uid"),
            Event.source.label("source"),
            Event.status.label("status"),
        )
        .join(Event, Event.id == RuleTrigger.event_id)
        .where(RuleTrigger.rule_id == rule_id)
        .order_by(RuleTrigger.timestamp.desc(), RuleTrigger.id.desc())
        .limit(limit)
    )
    return session.execute(chosen).all()


def _within(stretch: Stretch) -> list[sa.ColumnElement[bool]]:
    return [RuleTrigger.timestamp >= stretch[0], RuleTrigger.timestamp < stretch[1]]


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    counted = sa.select(sa.func.count()).select_from(RuleTrigger).where(RuleTrigger.rule_id == Rule.id, *conditions)
    return counted.correlate(Rule).scalar_subquery()


def _labelled(columns: Sequence[sa.ColumnElement[Any]]) -> list[sa.Label[Any]]:
    return [column.label(f"c{place}") for place, column in enumerate(columns)]
