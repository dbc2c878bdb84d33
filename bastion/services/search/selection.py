"""What a search selects from a table, and how far one request may look for it.

A list may have millions of rows, and most conditions have no index. So a request looks at a bounded number of rows: it
asks each index that holds all the rows in question how far back that many of them reach, and takes the furthest.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.visitors import InternalTraversal

from bastion.errors import FieldFault, InvalidInput
from bastion.services.search.timerange import Period
from bastion.services.search.tokens import Choice, Fields, Search, Token

Condition = sa.ColumnElement[bool]

MAX_SECONDS: Final = 5
"""For one request's queries: the bounds on rows keep far below it, unless texts are huge or the machine is busy."""

_SQLITE_STEPS: Final = 100_000
"""Virtual machine steps between two looks at the clock: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A condition that every selected row fulfils and that an index answers.

    ``rows`` says what the index counts, ``moment`` is their time. An ``ordered`` index gives them by time; from others
    they are all counted.
    """

    rows: str
    moment: InstrumentedAttribute[datetime]
    conditions: tuple[Condition, ...] = ()
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a search selects. ``where`` gives all its conditions, for the driver and the period at hand.

    ``plain`` says that the column of the bars is the only one that they are about.
    """

    drivers: tuple[Driver, ...]
    where: Callable[[Driver, Period], Sequence[Condition]]
    plain: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A table that can be searched. ``stack`` is the column that a histogram's bars are divided by."""

    noun: str
    fields: Fields
    moment: InstrumentedAttribute[datetime]
    key: InstrumentedAttribute[int]
    stack: InstrumentedAttribute[Any]
    stack_values: tuple[str, ...]
    select: Callable[[Session, Search], Selection]


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a period that one request looks at; ``complete`` when that is all of it."""

    driver: Driver
    period: Period
    complete: bool


def find_window(session: Session, selection: Selection, period: Period, limit: int, *, back: bool = True) -> Window:
    """The newest part of a period, or the oldest if not ``back``, that at most ``limit`` rows of an index fill."""
    best: Window | None = None
    for driver in selection.drivers:
        whole, edge = _reach(session, driver, period, limit, back)
        if whole:
            return Window(driver, period, complete=True)
        if edge is None:
            continue
        part = period.from_then(edge) if back else period.up_to(edge)
        if best is None or _length(part, back) > _length(best.period, back):
            best = Window(driver, part, complete=False)
    assert best is not None, "the last driver is ordered"
    return best


def _reach(session: Session, driver: Driver, period: Period, limit: int, back: bool) -> tuple[bool, datetime | None]:
    """Whether the driver has no more rows than that, and if it has, the time of the last that may be looked at."""
    chosen = (*driver.conditions, *within(driver.moment, period))
    if driver.ordered:
        order = driver.moment.desc() if back else driver.moment.asc()
        edge = session.scalar(sa.select(driver.moment).where(*chosen).order_by(order).offset(limit).limit(1))
        return edge is None, edge
    some = sa.select(sa.literal(1)).where(*chosen).select_from(driver.moment.class_).limit(limit + 1).subquery()
    return (session.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= limit, None


def _length(period: Period, back: bool) -> float:
    edge = period.since if back else period.until
    assert edge is not None
    return -edge.timestamp() if back else edge.timestamp()


def within(moment: InstrumentedAttribute[datetime], period: Period) -> list[Condition]:
    found: list[Condition] = []
    if period.since is not None:
        found.append(moment >= period.since)
    if period.until is not None:
        found.append(moment < period.until)
    return found


def checked(
    column: sa.ColumnElement[Any] | InstrumentedAttribute[Any], choice: Choice, empty: str = ""
) -> list[Condition]:
    """A choice as a condition on each row, NULL being ``empty``.

    No index can answer it: SQLite would else take the index of whatever condition it sees first.
    """
    value = sa.func.coalesce(column, empty)
    found: list[Condition] = []
    if choice.any_of is not None:
        found.append(value.in_(choice.any_of))
    if choice.none_of:
        found.append(value.not_in(choice.none_of))
    return found


def indexed(
    rows: str, moment: InstrumentedAttribute[datetime], column: InstrumentedAttribute[Any], choice: Choice | None
) -> list[Driver]:
    """The driver of a choice on a column whose index goes on with the time, if one can be made of it."""
    if choice is None or not choice.any_of or "" in choice.any_of:
        return []
    if len(choice.any_of) == 1:
        return [Driver(rows, moment, (column == choice.any_of[0],))]
    return [Driver(rows, moment, (column.in_(choice.any_of),), ordered=False)]


class _HasAsciiCase(sa.ColumnElement[bool]):
    """LIKE that takes upper and lower case for the same in ASCII alone: SQLite's own, and PostgreSQL's fast one.

    In its usual collation PostgreSQL's ILIKE takes three times as long.
    """

    inherit_cache = True
    type = sa.Boolean()
    _traverse_internals = [  # noqa: RUF012 (SQLAlchemy reads it as it is)
        ("column", InternalTraversal.dp_clauseelement),
        ("pattern", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: InstrumentedAttribute[Any], pattern: str) -> None:
        self.column = column.__clause_element__()
        self.pattern = sa.literal(pattern)


@compiles(_HasAsciiCase)
def _like(element: _HasAsciiCase, compiler: Any, **options: Any) -> str:
    column, pattern = compiler.process(element.column, **options), compiler.process(element.pattern, **options)
    like = 'COLLATE "C" ILIKE' if compiler.dialect.name == "postgresql" else "LIKE"
    return f"({column} {like} {pattern} ESCAPE '/')"


def has_text(
    token: Token, *columns: InstrumentedAttribute[Any], exact: Sequence[InstrumentedAttribute[Any]] = ()
) -> Condition:
    """Whether one of the columns has the token's text, or one of the others is exactly it."""
    escaped = re.sub("([/%_])", r"/\1", token.value)
    matches: list[Condition] = [_HasAsciiCase(column, f"%{form}%") for column in columns for form in _forms(escaped)]
    found = sa.func.coalesce(sa.or_(*matches, *(other == token.value for other in exact)), sa.false())
    return sa.not_(found) if token.negated else found


def _forms(text: str) -> list[str]:
    """Words with other letters are looked for in their usual spellings."""
    return [text] if text.isascii() else list(dict.fromkeys((text, text.lower(), text.upper(), text.capitalize())))


@contextmanager
def bounded_time(session: Session, seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Ends queries that take too long, with an ``InvalidInput`` that says what to do about it."""
    connection = session.connection()
    sqlite = connection.dialect.name == "sqlite"
    raw = connection.connection.driver_connection
    assert raw is not None
    if sqlite:
        deadline = datetime.now() + timedelta(seconds=seconds)  # noqa: DTZ005 (only compared with itself)
        raw.set_progress_handler(lambda: datetime.now() > deadline, _SQLITE_STEPS)  # noqa: DTZ005
    else:
        session.execute(sa.text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
    try:
        yield
    except OperationalError as error:
        if not _was_stopped(error):
            raise
        session.rollback()
        raise InvalidInput(
            [FieldFault("q", f"took longer than {seconds:g} seconds to look up: narrow the range, or search for less")]
        ) from None
    finally:
        if sqlite:
            raw.set_progress_handler(None, 0)


def _was_stopped(error: OperationalError) -> bool:
    """Whether our own bound ended the query: SQLite's interrupt, or PostgreSQL's query_canceled."""
    return str(error.orig) == "interrupted" or getattr(error.orig, "pgcode", None) == "57014"
