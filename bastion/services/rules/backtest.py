"""What rules would have done: drafts, and the versions that are saved, on stored events. Nothing is written.

A backtest keeps no state here: each step looks at some events, newest first, and says where the next one begins.
"""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Engine, Origin, RuleSpec
from bastion.engine.layers import Compiler
from bastion.errors import FieldFault, InvalidInput, InvalidRule
from bastion.models import MAX_ID, Event, RuleTrigger, utc_now

STEP_ROWS: Final = 5_000
"""Events that one step looks at, at most."""

STEP_SECONDS: Final = 1.0
"""And how long it looks, about."""

MAX_TOTAL: Final = 1_000_000
"""Events that a backtest looks at in all: how many there are is not counted beyond."""

MAX_FOUND: Final = 50
"""Events that one step names for each rule."""

_FETCHED: Final = 100
"""Rows in memory at a time: a text may have a mebibyte."""

_EXCERPT: Final = 80
"""Code points of the text on either side of the first match."""

FALSE_POSITIVE: Final = "false_positive"


class Change(StrEnum):
    """What saving the draft would change for a text."""

    NEW = "new"
    LOST = "lost"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Pair:
    """A draft, and the saved rule that it would replace, if any."""

    draft: RuleSpec
    saved: RuleSpec | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event that was looked at."""

    timestamp: datetime
    id: int

    def __str__(self) -> str:
        return f"{self.timestamp.isoformat()}_{self.id}"

    @classmethod
    def read(cls, written: str) -> "Cursor":
        """Raises ``InvalidInput`` for what no step has given."""
        moment, _, key = written.partition("_")
        try:
            cursor = cls(datetime.fromisoformat(moment), int(key))
            if cursor.timestamp.tzinfo is not None and 0 <= cursor.id <= MAX_ID:
                return cursor
        except (ValueError, OverflowError):
            pass
        raise InvalidInput([FieldFault("cursor", "is not where a backtest can go on")])


@dataclass(frozen=True, slots=True)
class Found:
    """An event that a draft or its saved version matches, with what is around the first match."""

    id: int
    uid: str
    timestamp: datetime
    status: str
    change: Change
    before: str
    matched: str
    after: str


@dataclass(slots=True)
class Outcome:
    """What became of one pair, on the events looked at so far."""

    changes: Counter[Change] = field(default_factory=Counter)
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of the events that the draft matches, what was answered, and by which flow."""
    by_time: dict[datetime, Counter[Change]] = field(default_factory=dict)
    """By the beginning of the bucket that the event is in."""
    found: list[Found] = field(default_factory=list)
    unfinished: int = 0
    """Events on which a version ran out of time."""
    judged: int = 0
    """Events that the draft matches and that an analyst has judged, and those of them that were all false positives."""
    false_positives: int = 0

    def add(self, other: "Outcome") -> None:
        self.changes.update(other.changes)
        self.answered.update(other.answered)
        for moment, changes in other.by_time.items():
            self.by_time.setdefault(moment, Counter()).update(changes)
        self.found.extend(other.found[: max(0, MAX_FOUND - len(self.found))])
        self.unfinished += other.unfinished
        self.judged += other.judged
        self.false_positives += other.false_positives


@dataclass(slots=True)
class Step:
    """What one step found. Without a ``cursor`` it was the last."""

    outcomes: list[Outcome]
    looked_at: int = 0
    untestable: int = 0
    """Events of which no text was kept."""
    cursor: Cursor | None = None


class Backtest:
    """Pairs compiled together, to be run over events."""

    def __init__(self, pairs: Sequence[Pair], compiler: Compiler) -> None:
        """Raises ``InvalidRule`` for a draft that cannot run."""
        self.pairs = tuple(pairs)
        specs = [spec for pair in pairs for spec in (pair.draft, pair.saved) if spec is not None]
        self._engine = Engine(specs, compiler)
        drafts = {pair.draft for pair in pairs}
        if faults := [fault for fault in self._engine.rejected if fault.rule in drafts]:
            raise InvalidRule([FieldFault("pattern", fault.reason) for fault in faults])

    def step(
        self,
        session: Session,
        conditions: Sequence[sa.ColumnElement[bool]],
        cursor: Cursor | None = None,
        *,
        buckets: Sequence[datetime] = (),
        rows: int = STEP_ROWS,
        seconds: float = STEP_SECONDS,
    ) -> Step:
        """Looks at the next events that fulfil the conditions, newest first.

        ``buckets`` are the beginnings of stretches of time, in order, to count by.
        """
        step = Step([Outcome() for _ in self.pairs])
        matched: list[list[int]] = [[] for _ in self.pairs]
        ends = time.monotonic() + seconds
        last = None
        for row in session.execute(_chosen(conditions, cursor).limit(rows), execution_options={"yield_per": _FETCHED}):
            last = Cursor(row.timestamp, row.id)
            step.looked_at += 1
            if row.prompt is None:
                step.untestable += 1
            else:
                self._judge(row, step.outcomes, matched, _bucket(row.timestamp, buckets))
            if time.monotonic() > ends:
                break
        else:
            last = last if step.looked_at == rows else None
        step.cursor = last
        for pair, outcome, ids in zip(self.pairs, step.outcomes, matched, strict=True):
            outcome.judged, outcome.false_positives = _judgements(session, ids, pair.saved)
        return step

    def _judge(self, row: Any, outcomes: list[Outcome], matched: list[list[int]], bucket: datetime | None) -> None:
        verdict = self._engine.scan(row.prompt)
        if self._engine.has_exceptions:
            origin = Origin(row.source, row.flow_name)
            verdict = self._engine.apply_exceptions(verdict, row.prompt, origin, utc_now())
        if not verdict.matches and not verdict.faults:
            return
        matches = {match.rule: match for match in verdict.matches}
        faults = {fault.rule for fault in verdict.faults}
        for pair, outcome, ids in zip(self.pairs, outcomes, matched, strict=True):
            if pair.draft in faults or pair.saved in faults:
                outcome.unfinished += 1
                continue
            match = matches.get(pair.draft)
            was = matches.get(pair.saved) if pair.saved else None
            if match is None and was is None:
                continue
            change = Change.SAME if match and was else Change.NEW if match else Change.LOST
            outcome.changes[change] += 1
            if match:
                ids.append(row.id)
                outcome.answered[row.status, row.flow_name] += 1
            if bucket is not None:
                outcome.by_time.setdefault(bucket, Counter())[change] += 1
            if len(outcome.found) < MAX_FOUND:
                shown = match or was
                assert shown is not None
                outcome.found.append(
                    Found(row.id, row.uid, row.timestamp, row.status, change, *_around(row.prompt, shown.spans))
                )


def total(session: Session, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
    """How many events a backtest would look at; not counted beyond ``MAX_TOTAL``."""
    some = sa.select(sa.literal(1)).select_from(Event).where(*conditions).limit(MAX_TOTAL).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def since(moment: datetime | None, until: datetime | None = None) -> list[sa.ColumnElement[bool]]:
    """The conditions of a range of time."""
    found: list[sa.ColumnElement[bool]] = []
    if moment is not None:
        found.append(Event.timestamp >= moment)
    if until is not None:
        found.append(Event.timestamp < until)
    return found


def _chosen(conditions: Iterable[sa.ColumnElement[bool]], cursor: Cursor | None) -> sa.Select[*tuple[Any, ...]]:
    chosen: sa.Select[*tuple[Any, ...]] = sa.select(
        Event.id, Event.uid, Event.timestamp, Event.status, Event.flow_name, Event.source, Event.prompt
    ).where(*conditions)
    if cursor is not None:
        place = sa.tuple_(sa.literal(cursor.timestamp, Event.timestamp.type), sa.literal(cursor.id))
        chosen = chosen.where(sa.tuple_(Event.timestamp, Event.id) < place)
    return chosen.order_by(Event.timestamp.desc(), Event.id.desc())


def _bucket(moment: datetime, buckets: Sequence[datetime]) -> datetime | None:
    place = bisect_right(buckets, moment)
    return buckets[place - 1] if place else None


def _around(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, str, str]:
    start, end = spans[0] if spans else (0, 0)
    end = min(end, start + 4 * _EXCERPT)
    return text[max(0, start - _EXCERPT) : start], text[start:end], text[end : end + _EXCERPT]


def _judgements(session: Session, ids: Sequence[int], saved: RuleSpec | None) -> tuple[int, int]:
    """Of these events, those with a judged trigger (of the saved rule, if there is one), and those judged wrong."""
    if not ids:
        return 0, 0
    wrong = sa.func.count(sa.case((RuleTrigger.disposition == FALSE_POSITIVE, 1)))
    judged = (
        sa.select(RuleTrigger.event_id, (sa.func.count() == wrong).label("wrong"))
        .where(RuleTrigger.event_id.in_(ids), RuleTrigger.disposition.is_not(None))
        .group_by(RuleTrigger.event_id)
    )
    if saved is not None:
        judged = judged.where(RuleTrigger.rule_id == saved.id)
    found = [bool(row.wrong) for row in session.execute(judged)]
    return len(found), sum(found)
