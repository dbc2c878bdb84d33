"""Which rules match, what of it waits for judgement, and what comes from where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from bastion.services.rules.precision import Estimate, precision_of
from bastion.services.search.event_fields import NOT_SET, SEVERITIES
from bastion.services.search.selection import Window, find_window, within
from bastion.services.search.timerange import ALWAYS, Period
from bastion.services.search.trigger_fields import TRIGGERS

BY_INDEX: Final = 500_000
"""Triggers that the rules' counts look at: an index has all that they ask."""

LOOKED_AT: Final = 20_000
"""Triggers that are read row by row, with their rules and events."""

WAITING: Final = 100_000
"""Triggers that are read row by row to find those that wait."""

RULES: Final = 10
CATEGORIES: Final = 8
SOURCES: Final = 6

OTHER: Final = "other"
"""The row of severities that no search knows: another program wrote them."""


@dataclass(frozen=True, slots=True)
class BusyRule:
    """A rule, its triggers in the period, and how its newest judged ones were judged."""

    id: int
    name: str
    triggers: int
    judged: Estimate

    @property
    def wrong(self) -> int:
        return self.judged.judged - self.judged.right


@dataclass(frozen=True, slots=True)
class BusyRules:
    """The rules that matched most. Triggers older than ``counted_from`` were too many to look at."""

    rules: tuple[BusyRule, ...]
    counted_from: datetime | None


def busy_rules(session: Session, period: Period) -> BusyRules:
    window = _newest(session, period, BY_INDEX)
    count = (
        sa.select(sa.func.count())
        .select_from(RuleTrigger)
        .where(RuleTrigger.rule_id == Rule.id, *within(RuleTrigger.timestamp, window.period))
        .correlate(Rule)
        .scalar_subquery()
    )
    counted = sa.select(Rule.id, count.label("triggers")).subquery()
    chosen = (
        sa.select(Rule.id, Rule.name, counted.c.triggers)
        .join(counted, counted.c.id == Rule.id)
        .where(counted.c.triggers > 0)
        .order_by(counted.c.triggers.desc(), Rule.id)
        .limit(RULES)
    )
    rows = session.execute(chosen).all()
    judged = precision_of(session, [row.id for row in rows])
    rules = tuple(BusyRule(row.id, row.name, row.triggers, judged.get(row.id, Estimate(0, 0))) for row in rows)
    return BusyRules(rules, _counted_from(window))


@dataclass(frozen=True, slots=True)
class Age:
    """Triggers that came in from ``since`` on and before ``until``; ``None`` is no bound."""

    words: str
    period: Period


@dataclass(frozen=True, slots=True)
class Waiting:
    """Triggers that nobody has judged: severities from most to least, and for each how many there are of every age."""

    ages: tuple[Age, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    counted_from: datetime | None

    @property
    def total(self) -> int:
        return sum(sum(counts) for _, counts in self.rows)

    def is_partial(self, age: Age) -> bool:
        """Whether triggers of that age were too many to look at all."""
        return self.counted_from is not None and (age.period.since is None or age.period.since < self.counted_from)


def waiting(session: Session, now: datetime) -> Waiting:
    """The triggers of all time that wait for judgement, by age."""
    hour, day, week = (now - timedelta(**{unit: 1}) for unit in ("hours", "days", "weeks"))
    ages = (
        Age("under 1 h", Period(hour, None)),
        Age("1 to 24 h", Period(day, hour)),
        Age("1 to 7 days", Period(week, day)),
        Age("older", Period(None, week)),
    )
    window = _newest(session, ALWAYS, WAITING)
    moment = RuleTrigger.timestamp
    age = sa.case((moment >= hour, 0), (moment >= day, 1), (moment >= week, 2), else_=3)
    found = sa.select(
        sa.func.coalesce(RuleTrigger.severity, NOT_SET).label("severity"), age.label("age"), RuleTrigger.disposition
    )
    row = found.where(*within(moment, window.period)).subquery()
    chosen = sa.select(row.c.severity, row.c.age, sa.func.count()).where(row.c.disposition.is_(None))
    names = (*reversed(SEVERITIES), NOT_SET, OTHER)
    counts = {name: [0] * len(ages) for name in names}
    for severity, place, count in session.execute(chosen.group_by(row.c.severity, row.c.age)):
        counts[severity if severity in counts else OTHER][place] += count
    rows = tuple((name, tuple(counts[name])) for name in names if name in SEVERITIES or any(counts[name]))
    return Waiting(ages, rows, _counted_from(window))


@dataclass(frozen=True, slots=True)
class Crossing:
    """Triggers by the category of their rule and the source of their event, the biggest of each."""

    categories: tuple[str, ...]
    sources: tuple[str, ...]
    counts: dict[tuple[str, str], int]
    total: int
    counted_from: datetime | None

    @property
    def beyond(self) -> int:
        """Triggers of other categories or from other sources."""
        return self.total - sum(self.counts.values())

    @property
    def highest(self) -> int:
        return max(self.counts.values(), default=0)


def crossing(session: Session, period: Period) -> Crossing:
    window = _newest(session, period, LOOKED_AT)
    category = sa.func.coalesce(Rule.category, "").label("category")
    source = sa.func.coalesce(Event.source, "").label("source")
    pair = (
        sa.select(category, source, sa.func.count().label("triggers"))
        .select_from(RuleTrigger)
        .join(Rule, Rule.id == RuleTrigger.rule_id)
        .join(Event, Event.id == RuleTrigger.event_id)
        .where(*within(RuleTrigger.timestamp, window.period))
        .group_by(category, source)
        .cte("pair")
    )
    chosen = sa.select(
        pair.c.category, pair.c.source, pair.c.triggers, sa.select(sa.func.sum(pair.c.triggers)).scalar_subquery()
    ).where(
        pair.c.category.in_(_biggest(pair.c.category, pair.c.triggers, CATEGORIES)),
        pair.c.source.in_(_biggest(pair.c.source, pair.c.triggers, SOURCES)),
    )
    rows: Sequence[Any] = session.execute(chosen).all()
    counts = {(row[0], row[1]): int(row[2]) for row in rows}
    total = int(rows[0][3]) if rows else 0
    return Crossing(_by_size(counts, 0), _by_size(counts, 1), counts, total, _counted_from(window))


def _biggest(column: sa.ColumnElement[str], triggers: sa.ColumnElement[int], limit: int) -> sa.Select[Any]:
    return sa.select(column).group_by(column).order_by(sa.func.sum(triggers).desc(), column).limit(limit)


def _by_size(counts: dict[tuple[str, str], int], place: int) -> tuple[str, ...]:
    sums: dict[str, int] = {}
    for key, count in counts.items():
        sums[key[place]] = sums.get(key[place], 0) + count
    return tuple(sorted(sums, key=lambda name: (-sums[name], name)))


def _newest(session: Session, period: Period, limit: int) -> Window:
    return find_window(session, TRIGGERS.select(session, ()), period, limit)


def _counted_from(window: Window) -> datetime | None:
    return None if window.complete else window.period.since
