"""Events as people look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlakeyset import Page, select_page
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql import Select

from bastion.engine import Status
from bastion.errors import NotFound
from bastion.models import MAX_ID, Event, Rule, RuleTrigger
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.pages import in_order
from bastion.services.search.selection import Driver
from bastion.services.search.timerange import ALWAYS, Period
from bastion.services.search.tokens import Search

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


def list_events(
    session: Session,
    narrowed: EventFilter,
    *,
    search: Search = (),
    period: Period = ALWAYS,
    skip: int = 0,
    limit: int,
) -> tuple[int, Sequence[Event]]:
    """How many events fit the filter and the search, and those from ``skip`` on, newest first."""
    every = Driver("events", Event.timestamp)
    found = EVENTS.select(session, search).where(every, period) if search or period != ALWAYS else ()
    total = session.scalar(narrowed.apply(sa.select(sa.func.count(Event.id)).where(*found))) or 0
    chosen = narrowed.apply(sa.select(Event)).where(*found).order_by(*NEWEST_FIRST)
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


SHOWN_RULES: Final = 2
"""Rules that a list names for one event; how many more there are is said."""

EXCERPT: Final = 200
"""Characters of a text that a list shows."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as a list shows it, with the ids and names of the first rules that matched."""

    id: int
    uid: str
    timestamp: datetime
    status: str
    flow_name: str
    source: str | None
    direction: str | None
    excerpt: str | None
    rules: tuple[tuple[int, str], ...]
    triggers: int


def event_rows(session: Session, ids: Sequence[int]) -> list[EventRow]:
    """The events of those ids, in their order, in two queries."""
    chosen = sa.select(
        *(Event.id, Event.uid, Event.timestamp, Event.status, Event.flow_name, Event.source, Event.direction),
        sa.func.substr(Event.prompt, 1, EXCERPT).label("excerpt"),
    )
    rows = in_order(ids, session.execute(chosen.where(Event.id.in_(ids))).all())
    place = sa.func.row_number().over(partition_by=RuleTrigger.event_id, order_by=RuleTrigger.id)
    count = sa.func.count().over(partition_by=RuleTrigger.event_id)
    columns = (RuleTrigger.event_id, RuleTrigger.rule_id, place.label("place"), count.label("count"))
    numbered = sa.select(*columns).where(RuleTrigger.event_id.in_(ids)).subquery()
    first = (
        sa.select(numbered.c.event_id, numbered.c.rule_id, Rule.name, numbered.c.count)
        .join(Rule, Rule.id == numbered.c.rule_id)
        .where(numbered.c.place <= SHOWN_RULES)
        .order_by(numbered.c.event_id, numbered.c.place)
    )
    rules: dict[int, list[tuple[int, str]]] = {}
    counts: dict[int, int] = {}
    for event_id, rule_id, name, triggers in session.execute(first):
        rules.setdefault(event_id, []).append((rule_id, name))
        counts[event_id] = triggers
    return [
        EventRow(
            *(row.id, row.uid, row.timestamp, row.status, row.flow_name, row.source, row.direction, row.excerpt),
            tuple(rules.get(row.id, ())),
            counts.get(row.id, 0),
        )
        for row in rows
    ]


EXPORTED: Final = (
    *("id", "uid", "timestamp", "status", "flow_name", "direction", "source", "task_id", "duration_us", "rules"),
    *("prompt_sha256", "prompt"),
)


def event_records(session: Session, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The events of those ids, in their order, whole, as an export has them."""
    columns = [getattr(Event, name) for name in EXPORTED if name != "rules"]
    rows = in_order(ids, session.execute(sa.select(*columns).where(Event.id.in_(ids))).all())
    matched = sa.select(RuleTrigger.event_id, Rule.name).join(Rule, Rule.id == RuleTrigger.rule_id)
    rules: dict[int, list[str]] = {}
    for event_id, name in session.execute(matched.where(RuleTrigger.event_id.in_(ids)).order_by(RuleTrigger.id)):
        rules.setdefault(event_id, []).append(name)
    return [
        {name: rules.get(row.id, []) if name == "rules" else getattr(row, name) for name in EXPORTED} for row in rows
    ]


def named_exactly(session: Session, word: str) -> tuple[bool, bool]:
    """Whether an event has that uid, and whether one has that task id: whoever pastes one wants to be led there."""
    by_uid, by_task = (sa.exists().where(column == word) for column in (Event.uid, Event.task_id))
    found = session.execute(sa.select(by_uid, by_task)).one()
    return bool(found[0]), bool(found[1])


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
