"""A backtest that a page goes through step by step: what it has found so far travels with the page."""

import time
from collections import Counter
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Final

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from bastion.errors import FieldFault, InvalidInput
from bastion.models import Event
from bastion.services.rules.backtest import MAX_FOUND, MAX_TOTAL, Backtest, Change, Cursor, Found, Step, total
from bastion.services.search.counts import Bucket, Histogram
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.selection import Driver, bounded_time, find_window
from bastion.services.search.timerange import FIRST, MAX_BUCKETS, Period, buckets
from bastion.services.search.tokens import Search

MAX_SECONDS: Final = 600.0
"""Of work that a backtest may take in all its steps."""

ROWS: Final = 20_000
"""Events that one step tests, at most."""

WINDOW: Final = 50_000
"""Rows of an index that it looks through for them."""

COUNT_SECONDS: Final = 2.0
"""How long the events are counted; then nobody knows how many there are."""

_FIRST_ID: Final = 0
"""Before the id of any event: a cursor with it has passed all events of its time and later ones."""

Count = Annotated[int, Field(ge=0, le=10 * MAX_TOTAL)]
Counts = tuple[Count, Count, Count]
"""In the order of ``Change``."""


class Run(BaseModel):
    """How far a backtest has come, and what it has found. ``cursor`` is ``None`` at its end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: AwareDatetime | None
    until: AwareDatetime
    edges: Annotated[tuple[AwareDatetime, ...], Field(min_length=2, max_length=MAX_BUCKETS + 2)]
    total: Count | None
    cursor: str | None = None
    looked_at: Count = 0
    untestable: Count = 0
    unfinished: Count = 0
    changes: Counts = (0, 0, 0)
    by_time: dict[Annotated[int, Field(ge=0, le=MAX_BUCKETS)], Counts] = {}
    found: Annotated[tuple[Found, ...], Field(max_length=MAX_FOUND)] = ()
    judged: Count = 0
    false_positives: Count = 0
    seconds: Annotated[float, Field(ge=0, le=10 * MAX_SECONDS, allow_inf_nan=False)] = 0.0

    @property
    def period(self) -> Period:
        return Period(self.since, self.until)

    @property
    def matched(self) -> int:
        """By the draft."""
        return self.changes[0] + self.changes[2]

    @property
    def is_stopped(self) -> bool:
        """Whether it goes no further though it is not at its end."""
        return self.cursor is not None and (self.looked_at >= MAX_TOTAL or self.seconds >= MAX_SECONDS)

    @property
    def goes_on(self) -> bool:
        return self.cursor is not None and not self.is_stopped

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far, if it is known how much is left."""
        if not self.goes_on or self.total is None or not self.looked_at:
            return None
        return self.seconds / self.looked_at * max(0, self.total - self.looked_at)

    @property
    def chart(self) -> Histogram:
        names = tuple(change.value for change in Change)
        bars = tuple(
            Bucket(start, end, self.by_time.get(place, (0, 0, 0)))
            for place, (start, end) in enumerate(zip(self.edges, self.edges[1:], strict=False))
        )
        return Histogram(names, bars, None)


def read_run(written: str) -> Run:
    """What an earlier step left in the page. Raises ``InvalidInput`` for anything else."""
    try:
        run = Run.model_validate_json(written)
    except ValidationError:
        raise InvalidInput([FieldFault("run", "is not what a backtest has left: begin again")]) from None
    if run.cursor is not None:
        Cursor.read(run.cursor)
    return run


def begin(session: Session, search: Search, period: Period, now: datetime, zone: tzinfo) -> Run:
    """A backtest over the events that a search selects; those that are stored later are not in it."""
    until = period.until or now
    since = period.since
    conditions = EVENTS.select(session, search).where(Driver("events", Event.timestamp), Period(since, until))
    start = since or session.scalar(sa.select(sa.func.min(Event.timestamp))) or until - timedelta(days=1)
    start = min(max(start, FIRST), until - timedelta(seconds=1))
    bars = buckets(start, until, zone)
    edges = (*(start for start, _ in bars), bars[-1][1])
    try:
        with bounded_time(session, COUNT_SECONDS):
            count: int | None = total(session, conditions)
    except InvalidInput:
        count = None
    return Run(since=since, until=until, edges=edges, total=count, cursor=str(Cursor(until, _FIRST_ID)))


def go_on(session: Session, test: Backtest, search: Search, run: Run, *, rows: int = ROWS, window: int = WINDOW) -> Run:
    """The next step of a backtest of one pair. A run that goes no further comes back as it is."""
    if not run.goes_on or run.cursor is None:
        return run
    began = time.monotonic()
    cursor = Cursor.read(run.cursor)
    left = Period(run.since, min(cursor.timestamp, run.until))
    if cursor.id != _FIRST_ID:
        left = Period(run.since, run.until).up_to(cursor.timestamp)
    selection = EVENTS.select(session, search)
    with bounded_time(session):
        part = find_window(session, selection, left, window)
        conditions = selection.where(part.driver, part.period)
        step = test.step(session, conditions, cursor, buckets=run.edges[:-1], rows=rows)
    if step.cursor is None and not part.complete and part.period.since is not None:
        # All events of the window have been looked at, those of its first moment too.
        step.cursor = Cursor(part.period.since, _FIRST_ID)
    return _added(run, step, time.monotonic() - began)


def _added(run: Run, step: Step, seconds: float) -> Run:
    (outcome,) = step.outcomes
    by_time = dict(run.by_time)
    for moment, counted in outcome.by_time.items():
        place = run.edges.index(moment)
        by_time[place] = _sum(by_time.get(place, (0, 0, 0)), counted)
    return run.model_copy(
        update={
            "cursor": str(step.cursor) if step.cursor else None,
            "looked_at": run.looked_at + step.looked_at,
            "untestable": run.untestable + step.untestable,
            "unfinished": run.unfinished + outcome.unfinished,
            "changes": _sum(run.changes, outcome.changes),
            "by_time": by_time,
            "found": (*run.found, *outcome.found)[:MAX_FOUND],
            "judged": run.judged + outcome.judged,
            "false_positives": run.false_positives + outcome.false_positives,
            "seconds": run.seconds + seconds,
        }
    )


def _sum(counts: tuple[int, int, int], more: Counter[Change]) -> tuple[int, int, int]:
    new, lost, same = (count + more[change] for count, change in zip(counts, Change, strict=True))
    return new, lost, same
