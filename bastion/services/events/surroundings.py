"""What is around one event: its neighbours in a list, and events that are like it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlakeyset import Marker, serialize_bookmark
from sqlalchemy.orm import InstrumentedAttribute, Session

from bastion.models import Event, RuleTrigger
from bastion.services.search.pages import page_of_keys
from bastion.services.search.selection import Listing, Selection
from bastion.services.search.timerange import Period

LISTED: Final = 10
"""Events that a list of similar ones shows."""

MAX_COUNTED: Final = 10_000
"""Events that are counted; beyond, there are more."""

LOOKED_AT: Final = 1_000
"""Triggers of one rule among whose events those of the same rules are looked for."""

_TRIGGERS_OF_ONE: Final = 60
"""Triggers among which the next one of another event is looked for: an event has one a rule."""


@dataclass(frozen=True, slots=True)
class Place:
    """An event in a list, by its uid; in a list of triggers, with the trigger."""

    uid: str
    trigger_id: int | None = None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a list shows before and after an event, and ``None`` where there is nothing or it is too far to look."""

    before: Place | None
    after: Place | None


@dataclass(frozen=True, slots=True)
class Similar:
    """Events that are like another, newest first, and how many there are.

    ``more`` says that there are more than ``count``; ``looked_at`` how many of a rule's newest triggers were looked at,
    where that was not all.
    """

    events: Sequence[Any]
    count: int
    more: bool
    looked_at: int | None = None


def neighbours(
    session: Session,
    listing: Listing,
    selection: Selection,
    period: Period,
    event: Event,
    *,
    trigger_id: int | None = None,
    oldest_first: bool = False,
) -> Neighbours:
    """What stands before and after an event in a list of events, or in one of triggers with that trigger at hand.

    The event itself need not be in the list (any more).
    """

    def look(*, backwards: bool) -> Place | None:
        in_triggers = listing.key.class_ is RuleTrigger
        key = (trigger_id or 0) if in_triggers else event.id
        page = page_of_keys(
            session,
            listing,
            selection,
            period,
            oldest_first=oldest_first,
            bookmark=serialize_bookmark(Marker((_moment(listing.moment, event, trigger_id), key), backwards=backwards)),
            per_page=_TRIGGERS_OF_ONE if in_triggers else 1,
        )
        keys = page.keys[::-1] if backwards else page.keys
        return _first_of_others(session, keys, event.id) if in_triggers else _place(session, keys)

    return Neighbours(look(backwards=True), look(backwards=False))


def same_text(session: Session, event: Event) -> Similar | None:
    """Other events of the same text, by its hash; ``None`` for an event without one."""
    if event.prompt_sha256 is None:
        return None
    same = (Event.prompt_sha256 == event.prompt_sha256, Event.id != event.id)
    some = sa.select(sa.literal(1)).select_from(Event).where(*same).limit(MAX_COUNTED + 1).subquery()
    count = session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    # By id, which the index goes on with: events get their ids as they are recorded.
    keys = session.scalars(sa.select(Event.id).where(*same).order_by(Event.id.desc()).limit(LISTED)).all()
    return Similar(_shown(session, keys), min(count, MAX_COUNTED), count > MAX_COUNTED)


def same_rules(session: Session, event: Event) -> Similar | None:
    """Other events in which the very same rules matched; ``None`` for one without triggers.

    They are looked for among the newest events of whichever of the rules has triggered least.
    """
    rules = sorted({trigger.rule_id for trigger in event.triggers})
    if not rules:
        return None
    rule_id, triggers = _rarest(session, rules)
    # The ids alone, which the index has: for the events' PostgreSQL would read a million triggers by time.
    newest = (
        sa.select(RuleTrigger.id)
        .where(RuleTrigger.rule_id == rule_id)
        .order_by(RuleTrigger.timestamp.desc(), RuleTrigger.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    candidates = sa.select(RuleTrigger.event_id).where(RuleTrigger.id.in_(sa.select(newest.c.id)))
    theirs = sa.orm.aliased(RuleTrigger)
    alike = (
        sa.select(theirs.event_id)
        .where(theirs.event_id.in_(candidates), theirs.event_id != event.id)
        .group_by(theirs.event_id)
        .having(
            sa.func.count(theirs.rule_id.distinct()) == len(rules),
            sa.func.min(sa.case((theirs.rule_id.in_(rules), 1), else_=0)) == 1,
        )
    )
    keys = sorted(session.scalars(alike), reverse=True)
    more = triggers > LOOKED_AT
    return Similar(_shown(session, keys[:LISTED]), len(keys), more, LOOKED_AT if more else None)


def _rarest(session: Session, rules: Sequence[int]) -> tuple[int, int]:
    """The rule with the fewest triggers, and how many, not counted beyond what is looked at."""
    counts = sa.union_all(
        *(
            sa.select(
                sa.literal(rule_id).label("rule_id"),
                sa.select(sa.func.count())
                .select_from(
                    sa.select(sa.literal(1))
                    .select_from(RuleTrigger)
                    .where(RuleTrigger.rule_id == rule_id)
                    .limit(LOOKED_AT + 1)
                    .subquery()
                )
                .scalar_subquery()
                .label("triggers"),
            )
            for rule_id in rules[:20]
        )
    ).subquery()
    found = session.execute(sa.select(counts.c.rule_id, counts.c.triggers).order_by(counts.c.triggers).limit(1)).one()
    return int(found.rule_id), int(found.triggers)


def _shown(session: Session, keys: Sequence[int]) -> Sequence[Any]:
    columns = (Event.id, Event.uid, Event.timestamp, Event.status, Event.flow_name, Event.source)
    return session.execute(sa.select(*columns).where(Event.id.in_(keys)).order_by(Event.id.desc())).all()


def _moment(column: InstrumentedAttribute[datetime], event: Event, trigger_id: int | None) -> datetime:
    if column.class_ is not RuleTrigger:
        return event.timestamp
    return next((one.timestamp for one in event.triggers if one.id == trigger_id), event.timestamp)


def _place(session: Session, keys: Sequence[int]) -> Place | None:
    uid = session.scalar(sa.select(Event.uid).where(Event.id == keys[0])) if keys else None
    return Place(uid) if uid else None


def _first_of_others(session: Session, keys: Sequence[int], event_id: int) -> Place | None:
    """The nearest of these triggers that is not of the event."""
    chosen = (
        sa.select(RuleTrigger.id, Event.uid)
        .join(Event, Event.id == RuleTrigger.event_id)
        .where(RuleTrigger.id.in_(keys), RuleTrigger.event_id != event_id)
    )
    uids = {row.id: row.uid for row in session.execute(chosen)}
    return next((Place(uids[key], key) for key in keys if key in uids), None)
