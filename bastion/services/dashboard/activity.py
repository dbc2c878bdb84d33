"""Events over time by status, beside those of the period before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event
from bastion.services.search.counts import COUNTED_BY_INDEX, Bucket
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.selection import find_window
from bastion.services.search.timerange import Period, buckets

STATUSES: Final = EVENTS.stack_values
AT_ONCE: Final = 100_000
"""Events that an index counts while the page is made; more are counted after it."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Events of a period by status, in buckets. ``before`` are the buckets of the period before, one for each, where
    there is such a period and it could be counted. Rows older than ``counted_from`` were too many to look at.
    """

    parts: tuple[str, ...]
    buckets: tuple[Bucket, ...]
    before: tuple[Bucket, ...] | None
    period_before: Period | None
    counted_from: datetime | None

    @property
    def totals(self) -> dict[str, int]:
        return _totals(self.buckets)

    @property
    def totals_before(self) -> dict[str, int] | None:
        return None if self.before is None else _totals(self.before)

    @property
    def highest(self) -> int:
        return max(bucket.total for bucket in (*self.buckets, *(self.before or ())))


def period_before(period: Period, now: datetime) -> Period | None:
    """The period of the same length that ends where this one begins; ``None`` for one without a beginning."""
    if period.since is None:
        return None
    return Period(period.since - ((period.until or now) - period.since), period.since)


def is_quick(session: Session, period: Period, now: datetime) -> bool:
    """Whether the activity may be counted while a page is made."""
    return find_window(session, EVENTS.select(session, ()), _both(period, now), AT_ONCE).complete


def activity(session: Session, period: Period, now: datetime, zone: tzinfo) -> Activity:
    """The events of the period and of the one before, in one query."""
    before = period_before(period, now)
    window = find_window(session, EVENTS.select(session, ()), _both(period, now), COUNTED_BY_INDEX)
    counted_from = None if window.complete else window.period.since
    if counted_from and before:
        # Half a period is nothing to compare with.
        before = None
    seen = period if before else period.from_then(counted_from)
    start = period.since or session.scalar(sa.select(sa.func.min(Event.timestamp))) or now
    # What happens while the page is made is in it, as in the lists.
    end = period.until or datetime.now(UTC) + timedelta(seconds=1)
    edges = [_clipped(edge, period) for edge in buckets(min(start, end - timedelta(seconds=1)), end, zone)]
    now_edges = [_clipped(edge, seen) for edge in edges]
    if before is None or before.since is None:
        return Activity(STATUSES, _bucketed(edges, _counted(session, now_edges)), None, None, counted_from)
    length = start - before.since
    then_edges = [_clipped((since - length, until - length), before) for since, until in edges]
    counts = _counted(session, [*now_edges, *then_edges])
    return Activity(
        STATUSES,
        _bucketed(edges, counts[: len(edges)]),
        _bucketed(then_edges, counts[len(edges) :]),
        before,
        counted_from,
    )


Edge = tuple[datetime, datetime]


def _both(period: Period, now: datetime) -> Period:
    before = period_before(period, now)
    return Period(before.since if before else None, period.until)


def _clipped(edge: Edge, period: Period) -> Edge:
    since, until = edge
    since = max(since, period.since) if period.since else since
    until = min(until, period.until) if period.until else until
    return since, max(since, until)


def _bucketed(edges: Sequence[Edge], counts: Sequence[tuple[int, ...]]) -> tuple[Bucket, ...]:
    return tuple(Bucket(*edge, row) for edge, row in zip(edges, counts, strict=True))


def _totals(counted: Sequence[Bucket]) -> dict[str, int]:
    columns = zip(*(bucket.counts for bucket in counted), strict=True)
    return dict(zip(STATUSES, map(sum, columns), strict=True))


def _counted(session: Session, edges: Sequence[Edge]) -> list[tuple[int, ...]]:
    """Events of each stretch by status: a count over the index of each, as the lists' bars have it."""
    moment = Event.timestamp.type
    stretch = sa.union_all(
        *(
            sa.select(
                sa.literal(number).label("number"),
                sa.literal(since, moment).label("since"),
                sa.literal(until, moment).label("until"),
            )
            for number, (since, until) in enumerate(edges)
        )
    ).cte("stretch")
    counts = [
        sa.select(sa.func.count())
        .select_from(Event)
        .where(Event.status == status, Event.timestamp >= stretch.c.since, Event.timestamp < stretch.c.until)
        .correlate(stretch)
        .scalar_subquery()
        for status in STATUSES
    ]
    rows = session.execute(sa.select(stretch.c.number, *counts).order_by(stretch.c.number))
    return [tuple(row[1:]) for row in rows]
