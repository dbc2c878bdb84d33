"""Events over JSON, in AIDR Bastion's shapes with the new fields."""

from datetime import UTC
from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, Field, StrictStr

from bastion.api.parsing import Label100, query
from bastion.engine import Status
from bastion.extensions import db
from bastion.models import MAX_ID
from bastion.services.events import stored_events
from bastion.services.events.as_json import event_json, whole_event_json
from bastion.services.events.stored_events import EventFilter
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.selection import bounded_time
from bastion.services.search.timerange import between
from bastion.services.search.tokens import parse


class EventQuery(BaseModel):
    """Filters of the list; they compose."""

    skip: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    status: Status | None = None
    flow_name: Label100 | None = None
    q: StrictStr = ""
    since: Annotated[StrictStr | None, Field(alias="from")] = None
    until: Annotated[StrictStr | None, Field(alias="to")] = None


class RecentQuery(BaseModel):
    """How many of the newest events."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50


def list_events() -> dict[str, Any]:
    asked = query(EventQuery)
    search = parse(asked.q, EVENTS.fields)
    period = between(asked.since, asked.until, UTC)
    with bounded_time(db.session()):
        total, found = stored_events.list_events(
            db.session(),
            EventFilter(asked.status, asked.flow_name),
            search=search,
            period=period,
            skip=asked.skip,
            limit=asked.limit,
        )
        return {"total": total, "events": [event_json(event) for event in found]}


def recent_events() -> dict[str, Any]:
    total, found = stored_events.list_events(db.session(), EventFilter(), limit=query(RecentQuery).limit)
    return {"total": total, "events": [event_json(event) for event in found]}


def event_stats() -> dict[str, Any]:
    counts = stored_events.event_stats(db.session())
    return {
        "total": counts["total"],
        "blocked": counts["block"],
        "notified": counts["notify"],
        "allowed": counts["allow"],
        "errors": counts["error"],
    }


def get_event(key: str) -> dict[str, Any]:
    """One event by its id or its uid, with its triggers."""
    return whole_event_json(stored_events.get_event(db.session(), key))


def get_event_by_task(task_id: str) -> dict[str, Any]:
    return whole_event_json(stored_events.newest_event_of_task(db.session(), task_id))


def add_routes(api: Blueprint) -> None:
    api.get("/events")(list_events)
    api.get("/events/recent")(recent_events)
    api.get("/events/stats")(event_stats)
    api.get("/events/<key>")(get_event)
    api.get("/events/task/<path:task_id>")(get_event_by_task)
