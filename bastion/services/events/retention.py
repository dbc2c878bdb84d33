"""Old events out of the database, a few at a time, so that whoever judges texts meanwhile does not wait for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from bastion.engine import Status
from bastion.models import Event, RuleTrigger

BATCH: Final = 500
"""Events in one transaction: a few milliseconds of SQLite's only lock."""

PAUSE_SECONDS: Final = 0.02
"""Between two of them, for those who wait for that lock."""

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Old:
    """Which events go: those before a moment, of one status or of any; judged ones only if ``judged`` says so.

    An event is judged when an analyst has given one of its triggers a disposition: it is evidence then.
    """

    before: datetime
    status: Status | None = None
    judged: bool = False

    def condition(self) -> ColumnElement[bool]:
        chosen = Event.timestamp < self.before
        if self.status is not None:
            chosen &= Event.status == self.status.value
        if not self.judged:
            chosen &= ~sa.exists().where(RuleTrigger.event_id == Event.id, RuleTrigger.disposition.is_not(None))
        return chosen


def count_old(database: sa.Engine, old: Old) -> int:
    """How many events ``prune`` would delete now."""
    with database.connect() as connection:
        return connection.scalar(sa.select(sa.func.count(Event.id)).where(old.condition())) or 0


def prune(database: sa.Engine, old: Old, advance: Advance = lambda _: None) -> int:
    """Deletes the events and their triggers, the oldest first, and returns how many events went.

    Each batch is committed by itself: what was interrupted goes on when it is called again. Space goes back to the
    system on SQLite as far as the file was made for it, see ``docs/operations.md``.
    """
    after: tuple[datetime, int] | None = None
    deleted = 0
    while True:
        with database.begin() as connection:
            ids, after = _next(connection, old, after)
            if after is None:
                return deleted
            gone = connection.execute(sa.delete(Event).where(Event.id.in_(ids), old.condition())).rowcount
        deleted += gone
        _give_space_back(database)
        advance(gone)
        time.sleep(PAUSE_SECONDS)


def _next(
    connection: sa.Connection, old: Old, after: tuple[datetime, int] | None
) -> tuple[list[int], tuple[datetime, int] | None]:
    """The ids of the next batch and where it ends. Those that are spared are passed over once, not at every batch."""
    chosen = sa.select(Event.timestamp, Event.id).where(old.condition())
    if after is not None:
        place = sa.tuple_(sa.literal(after[0], Event.timestamp.type), sa.literal(after[1]))
        chosen = chosen.where(sa.tuple_(Event.timestamp, Event.id) > place)
    rows = connection.execute(chosen.order_by(Event.timestamp, Event.id).limit(BATCH)).all()
    ids = [row[1] for row in rows]
    if not ids:
        return [], None
    # Nobody judges one of these triggers between this look and the deletion.
    connection.execute(sa.select(RuleTrigger.id).where(RuleTrigger.event_id.in_(ids)).with_for_update()).all()
    return ids, (rows[-1][0], rows[-1][1])


def _give_space_back(database: sa.Engine) -> None:
    if database.dialect.name == "sqlite":
        with database.connect() as connection:
            # As a script: of a single statement the driver takes one step, which frees one page.
            # Nothing happens in a file that was made without auto_vacuum.
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.executescript(f"PRAGMA incremental_vacuum({BATCH * 4})")
