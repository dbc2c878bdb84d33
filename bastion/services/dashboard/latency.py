"""How long texts took to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event
from bastion.services.search.selection import within
from bastion.services.search.timerange import Period

NEWEST: Final = 2_000
"""Events that are looked at."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds that the newest events of a period took. ``measured`` of them say how long: AIDR Bastion's do not.

    ``slowest`` is the uid of the one that took longest.
    """

    measured: int
    p50: int
    p95: int
    longest: int
    slowest: str
    bounded: bool


def latency(session: Session, period: Period) -> Latency | None:
    """``None`` where no event says how long it took."""
    chosen = sa.select(Event.duration_us, Event.uid).where(*within(Event.timestamp, period))
    rows = session.execute(chosen.order_by(Event.timestamp.desc(), Event.id.desc()).limit(NEWEST)).all()
    taken = sorted((row[0], row[1]) for row in rows if row[0] is not None)
    if not taken:
        return None
    durations = [duration for duration, _ in taken]
    return Latency(
        len(taken), percentile(durations, 50), percentile(durations, 95), *taken[-1], bounded=len(rows) == NEWEST
    )


def percentile(ordered: Sequence[int], percent: int) -> int:
    """By nearest rank: one of the values, which at least ``percent`` of them do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
