"""How many rows a search selects: over time, and by value. Every count looks at a bounded number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.services.search.selection import Condition, Listing, Selection, find_window
from bastion.services.search.timerange import Period, buckets

AT_ONCE: Final = 2_000
"""Rows that may be counted while a page is made; more are counted after it."""

COUNTED: Final = 10_000
"""Rows that a count looks at."""

COUNTED_BY_INDEX: Final = 2_000_000
"""The same where an index holds all that is asked for."""

VALUES: Final = 10
"""Values that a facet lists."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The rows of a stretch of time, by the value that bars are divided by; the last entry is all other values."""

    start: datetime
    end: datetime
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts over time. Rows older than ``counted_from`` were too many to look at; ``None`` when all were."""

    parts: tuple[str, ...]
    buckets: tuple[Bucket, ...]
    counted_from: datetime | None

    @property
    def total(self) -> int:
        return sum(bucket.total for bucket in self.buckets)

    @property
    def highest(self) -> int:
        return max((bucket.total for bucket in self.buckets), default=0)


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value and how many rows have it. ``label`` is how people call it, where that is another text."""

    value: str
    count: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """The commonest values of fields. Rows older than ``counted_from`` were too many to look at."""

    fields: dict[str, tuple[FacetValue, ...]]
    counted_from: datetime | None


def is_quick(session: Session, selection: Selection, period: Period) -> bool:
    """Whether the rows are few enough to be counted while a page is made."""
    return find_window(session, selection, period, AT_ONCE).complete


def histogram(session: Session, listing: Listing, selection: Selection, period: Period, zone: tzinfo) -> Histogram:
    """Counts per bucket of the period, whose ends are the oldest row and now where it has none."""
    start = period.since or session.scalar(sa.select(sa.func.min(listing.moment))) or datetime.now(UTC)
    end = period.until or datetime.now(UTC) + timedelta(seconds=1)
    if start >= end:
        end = start + timedelta(seconds=1)
    limit = COUNTED_BY_INDEX if selection.plain else COUNTED
    window = find_window(session, selection, period, limit)
    edges = buckets(start, end, zone)
    read = _by_index if selection.plain else _by_row
    counted = read(session, listing, selection.where(window.driver, window.period), edges)
    return Histogram(
        (*listing.stack_values, "other"),
        tuple(Bucket(start, end, counts) for (start, end), counts in zip(edges, counted, strict=True)),
        None if window.complete else window.period.since,
    )


Edges = Sequence[tuple[datetime, datetime]]


def _by_index(
    session: Session, listing: Listing, conditions: Sequence[Condition], edges: Edges
) -> list[tuple[int, ...]]:
    """Each bar's part by a count over the index of that value: a twentieth of the time that grouping takes."""
    bucket = (
        sa.union_all(
            *(
                sa.select(
                    sa.literal(number).label("number"),
                    sa.literal(start, listing.moment.type).label("start"),
                    sa.literal(end, listing.moment.type).label("end"),
                )
                for number, (start, end) in enumerate(edges)
            )
        )
    ).cte("bucket")
    counts = [
        sa.select(sa.func.count())
        .select_from(listing.stack.class_)
        .where(listing.stack == value, listing.moment >= bucket.c.start, listing.moment < bucket.c.end)
        .where(*conditions)
        .correlate(bucket)
        .scalar_subquery()
        for value in listing.stack_values
    ]
    rows = session.execute(sa.select(bucket.c.number, *counts).order_by(bucket.c.number)).all()
    return [(*row[1:], 0) for row in rows]


def _by_row(session: Session, listing: Listing, conditions: Sequence[Condition], edges: Edges) -> list[tuple[int, ...]]:
    number = _bucket_of(listing, [start for start, _ in edges])
    found = sa.select(number.label("number"), listing.stack.label("part")).where(*conditions)
    rows = found.subquery()
    counted = session.execute(
        sa.select(rows.c.number, rows.c.part, sa.func.count()).group_by(rows.c.number, rows.c.part)
    )
    counts = [[0] * (len(listing.stack_values) + 1) for _ in edges]
    for place, part, count in counted:
        at = listing.stack_values.index(part) if part in listing.stack_values else -1
        counts[place][at] += count
    return [tuple(row) for row in counts]


def _bucket_of(listing: Listing, starts: list[datetime], first: int = 0) -> sa.ColumnElement[int]:
    """The number of the bucket that a row is in, by halving: six comparisons for sixty buckets."""
    if len(starts) == 1:
        return sa.literal_column(str(first), sa.Integer())
    half = len(starts) // 2
    before = _bucket_of(listing, starts[:half], first)
    return sa.case((listing.moment < starts[half], before), else_=_bucket_of(listing, starts[half:], first + half))
