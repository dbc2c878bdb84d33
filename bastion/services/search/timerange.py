"""The time that a list looks at, and its buckets. Pure: no database, no clock but the caller's."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from bastion.errors import FieldFault, InvalidInput

PRESETS: Final = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "all": None,
}
DEFAULT: Final = "7d"
"""A day would be empty for whoever tries Bastion on Friday and looks on Monday."""

WIDER: Final = {"15m": "24h", "1h": "24h", "6h": "7d", "24h": "30d", "7d": "all", "30d": "all", "90d": "all"}
IN_WORDS: Final = {
    "15m": "last 15 minutes",
    "1h": "last hour",
    "6h": "last 6 hours",
    "24h": "last 24 hours",
    "7d": "last 7 days",
    "30d": "last 30 days",
    "90d": "last 90 days",
    "all": "all time",
}

MAX_BUCKETS: Final = 60
FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)

_SECONDS: Final = (1, 5, 15, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600)
_DAYS: Final = (1, 2, 7, 14, 28, 91, 182, 364, 3640)


@dataclass(frozen=True, slots=True)
class Period:
    """From a time, inclusive, to another, exclusive; ``None`` is no bound on that side."""

    since: datetime | None = None
    until: datetime | None = None

    def from_then(self, moment: datetime | None) -> "Period":
        """The part that begins no earlier than ``moment``."""
        if moment is None or (self.since is not None and self.since >= moment):
            return self
        return Period(moment, self.until)

    def up_to(self, moment: datetime | None) -> "Period":
        """The part that ends no later than right after ``moment``."""
        if moment is None:
            return self
        after = moment + timedelta(microseconds=1)
        return self if self.until is not None and self.until <= after else Period(self.since, after)


ALWAYS: Final = Period()


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What the reader asked for: a preset by name, or a period of their own."""

    preset: str | None = DEFAULT
    given: Period = ALWAYS

    def period(self, now: datetime) -> Period:
        """A preset has no end, so that what happens while the page is made is in it."""
        if self.preset is None:
            return self.given
        length = PRESETS[self.preset]
        return Period(None if length is None else now - length)


USUAL: Final = TimeRange()


def read_range(preset: str | None, since: str | None, until: str | None, zone: tzinfo) -> TimeRange:
    """The range of a page's parameters; times without an offset are in ``zone``. Raises ``InvalidInput``."""
    if since or until:
        if preset:
            raise InvalidInput([FieldFault("range", "goes with neither from nor to: give the one or the others")])
        return TimeRange(None, between(since, until, zone))
    if preset and preset not in PRESETS:
        raise InvalidInput([FieldFault("range", f"wants one of {', '.join(PRESETS)}, not {preset[:40]!r}")])
    return TimeRange(preset or DEFAULT)


def between(since: str | None, until: str | None, zone: tzinfo) -> Period:
    """The period from the one to the other; times without an offset are in ``zone``. Raises ``InvalidInput``."""
    faults: list[FieldFault] = []
    moments: dict[str, datetime | None] = {"from": None, "to": None}
    for name, written in (("from", since), ("to", until)):
        if written:
            try:
                moments[name] = read_time(written, zone)
            except ValueError as error:
                faults.append(FieldFault(name, str(error)))
    start, end = moments["from"], moments["to"]
    if start and end and start >= end:
        faults.append(FieldFault("to", "must be later than from"))
    if faults:
        raise InvalidInput(faults)
    return Period(start, end)


def read_time(written: str, zone: tzinfo) -> datetime:
    """A time in ISO 8601, in UTC. Raises ``ValueError`` with what it wants."""
    try:
        moment = datetime.fromisoformat(written.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"wants a time such as 2026-11-22T14:30 or 2026-11-22T14:30Z, not {written[:40]!r}") from None
    if not FIRST <= moment <= LAST:
        raise ValueError(f"wants a time from {FIRST.year} to {LAST.year}")
    return moment


def write_time(moment: datetime) -> str:
    """A time that means the same to every reader."""
    spec = "microseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def buckets(start: datetime, end: datetime, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """At most 61 stretches of one round width that cover the range, from full minutes, hours or local midnights on."""
    length = (end - start).total_seconds()
    for seconds in _SECONDS:
        if length <= seconds * MAX_BUCKETS:
            return _even(start, end, zone, seconds)
    days = next((days for days in _DAYS if length <= days * 86400 * MAX_BUCKETS), _DAYS[-1])
    return _by_days(start, end, zone, days)


def _even(start: datetime, end: datetime, zone: tzinfo, seconds: int) -> list[tuple[datetime, datetime]]:
    offset = start.astimezone(zone).utcoffset() or timedelta()
    width = timedelta(seconds=seconds)
    edge = start - (start - FIRST + offset) % width
    edges = [edge]
    while edges[-1] < end:
        edges.append(edges[-1] + width)
    return list(pairwise(edges))


def _by_days(start: datetime, end: datetime, zone: tzinfo, days: int) -> list[tuple[datetime, datetime]]:
    local = start.astimezone(zone)
    day = local.date() - timedelta(days=(local.date().toordinal() - 1) % days)
    edges: list[datetime] = []
    while not edges or edges[-1] < end:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        edges.append(midnight.astimezone(UTC))
        day += timedelta(days=days)
    return list(pairwise(edges))
