"""Events over JSON, in AIDR Bastion's shapes with the new fields."""

from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, Field

from bastion.api.parsing import Label100, query
from bastion.engine import Status
from bastion.extensions import db
from bastion.models import MAX_ID, Event, RuleTrigger
from bastion.services import events
from bastion.services.events import EventFilter


class EventQuery(BaseModel):
    """Filters of the list; they compose."""

    skip: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    status: Status | None = None
    flow_name: Label100 | None = None


class RecentQuery(BaseModel):
    """How many of the newest events."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50


def list_events() -> dict[str, Any]:
    asked = query(EventQuery)
    return _list(EventFilter(asked.status, asked.flow_name), asked.skip, asked.limit)


def recent_events() -> dict[str, Any]:
    return _list(EventFilter(), 0, query(RecentQuery).limit)


def _list(narrowed: EventFilter, skip: int, limit: int) -> dict[str, Any]:
    total, found = events.list_events(db.session(), narrowed, skip=skip, limit=limit)
    return {"total": total, "events": [shape(event) for event in found]}


def event_stats() -> dict[str, Any]:
    counts = events.event_stats(db.session())
    return {
        "total": counts["total"],
        "blocked": counts["block"],
        "notified": counts["notify"],
        "allowed": counts["allow"],
        "errors": counts["error"],
    }


def get_event(key: str) -> dict[str, Any]:
    """One event by its id or its uid, with its triggers."""
    return _whole(events.get_event(db.session(), key))


def get_event_by_task(task_id: str) -> dict[str, Any]:
    return _whole(events.newest_event_of_task(db.session(), task_id))


def shape(event: Event) -> dict[str, Any]:
    """An event as a list gives it."""
    return {
        "id": event.id,
        "uid": event.uid,
        "task_id": event.task_id,
        "prompt": event.prompt,
        "status": event.status,
        "flow_name": event.flow_name,
        "pipeline_results": event.pipeline_results,
        "timestamp": event.timestamp.isoformat(),
        "source": event.source,
        "direction": event.direction,
        "duration_us": event.duration_us,
        "prompt_sha256": event.prompt_sha256,
        "context": event.context,
    }


def _whole(event: Event) -> dict[str, Any]:
    return {**shape(event), "triggers": [_trigger(trigger) for trigger in event.triggers]}


def _trigger(trigger: RuleTrigger) -> dict[str, Any]:
    return {
        "id": trigger.id,
        "rule_id": trigger.rule_id,
        "rule_uuid": trigger.rule.uuid,
        "rule_name": trigger.rule.name,
        "rule_version": trigger.rule_version,
        "action": trigger.action,
        "severity": trigger.severity,
        "pipeline_name": trigger.pipeline_name,
        "matched_text": trigger.matched_text,
        "spans": trigger.spans,
        "view": trigger.view,
        "disposition": trigger.disposition,
        "timestamp": trigger.timestamp.isoformat(),
    }


def add_routes(api: Blueprint) -> None:
    api.get("/events")(list_events)
    api.get("/events/recent")(recent_events)
    api.get("/events/stats")(event_stats)
    api.get("/events/<key>")(get_event)
    api.get("/events/task/<path:task_id>")(get_event_by_task)
