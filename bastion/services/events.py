"""Events as people look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlakeyset import Page, select_page
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql import Select

from bastion.engine import Status
from bastion.errors import NotFound
from bastion.models import MAX_ID, Event, RuleTrigger

NEWEST_FIRST: Final = (Event.timestamp.desc(), Event.id.desc())


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a list of events is narrowed to; filters compose."""

    status: str | None = None
    flow_name: str | None = None

    def apply(self, chosen: Select[Any]) -> Select[Any]:
        if self.status:
            chosen = chosen.where(Event.status == self.status)
        if self.flow_name:
            chosen = chosen.where(Event.flow_name == self.flow_name)
        return chosen


def list_events(session: Session, narrowed: EventFilter, *, skip: int = 0, limit: int) -> tuple[int, Sequence[Event]]:
    """How many events fit the filter, and those from ``skip`` on, newest first."""
    total = session.scalar(narrowed.apply(sa.select(sa.func.count(Event.id)))) or 0
    chosen = narrowed.apply(sa.select(Event)).order_by(*NEWEST_FIRST)
    return total, session.scalars(chosen.offset(skip).limit(limit)).all()


def page_of_events(session: Session, narrowed: EventFilter, *, per_page: int, bookmark: str | None) -> Page[Any]:
    """One page of the list, newest first, with the start of each text and the number of its triggers.

    ``bookmark`` is where another page began or ended, as its links say.
    """
    triggers = (
        sa.select(sa.func.count(RuleTrigger.id))
        .where(RuleTrigger.event_id == Event.id)
        .correlate(Event)
        .scalar_subquery()
    )
    columns = sa.select(
        Event.id,
        Event.uid,
        Event.timestamp,
        Event.status,
        Event.flow_name,
        Event.source,
        Event.direction,
        sa.func.substr(Event.prompt, 1, 200).label("excerpt"),
        triggers.label("triggers"),
    )
    return select_page(session, narrowed.apply(columns).order_by(*NEWEST_FIRST), per_page=per_page, page=bookmark)


def event_stats(session: Session) -> dict[str, int]:
    """How many events there are in all and with each status."""
    counted = sa.select(Event.status, sa.func.count(Event.id)).group_by(Event.status)
    counts = {row[0]: row[1] for row in session.execute(counted)}
    return {"total": sum(counts.values()), **{status.value: counts.get(status.value, 0) for status in Status}}


def get_event(session: Session, key: str) -> Event:
    """The event of an id or a uid, with its triggers and their rules; raises ``NotFound``."""
    chosen = sa.select(Event).options(selectinload(Event.triggers).joinedload(RuleTrigger.rule))
    if key.isascii() and key.isdigit():
        event = session.scalar(chosen.where(Event.id == int(key))) if len(key) < 20 and int(key) <= MAX_ID else None
    else:
        event = session.scalar(chosen.where(Event.uid == key))
    if event is None:
        raise NotFound(f"there is no event {key}")
    return event


def newest_event_of_task(session: Session, task_id: str) -> Event:
    """The newest event with that task id; raises ``NotFound``."""
    event = session.scalar(
        sa.select(Event)
        .options(selectinload(Event.triggers).joinedload(RuleTrigger.rule))
        .where(Event.task_id == task_id)
        .order_by(*NEWEST_FIRST)
        .limit(1)
    )
    if event is None:
        raise NotFound(f"there is no event with the task_id {task_id!r}")
    return event


def flow_names(session: Session) -> Sequence[str]:
    """The flows that events were recorded for."""
    return session.scalars(sa.select(Event.flow_name).distinct().order_by(Event.flow_name)).all()
