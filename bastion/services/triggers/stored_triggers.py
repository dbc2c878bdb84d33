"""Triggers as people look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from bastion.services.search.pages import in_order

EXCERPT: Final = 200
"""Characters of a match that a list shows."""

EXPORTED: Final = (
    *("id", "timestamp", "rule_id", "rule_uuid", "rule_name", "rule_version", "category", "action", "severity", "view"),
    *("disposition", "note", "reviewed_by", "reviewed_at", "event_id", "event_uid", "status", "flow_name", "source"),
    "matched_text",
)


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """A trigger as a list shows it, with its rule's name and its event's outcome."""

    id: int
    timestamp: datetime
    rule_id: int
    rule_name: str
    category: str | None
    action: str | None
    severity: str | None
    view: str | None
    disposition: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    excerpt: str | None
    event_id: int
    event_uid: str
    status: str
    flow_name: str
    source: str | None


def trigger_rows(session: Session, ids: Sequence[int]) -> list[TriggerRow]:
    """The triggers of those ids, in their order."""
    chosen = _joined(
        *(RuleTrigger.id, RuleTrigger.timestamp, RuleTrigger.rule_id, Rule.name, Rule.category, RuleTrigger.action),
        *(RuleTrigger.severity, RuleTrigger.view, RuleTrigger.disposition, RuleTrigger.reviewed_by),
        RuleTrigger.reviewed_at,
        sa.func.substr(RuleTrigger.matched_text, 1, EXCERPT),
        *(Event.id, Event.uid, Event.status, Event.flow_name, Event.source),
    )
    return [TriggerRow(*row) for row in in_order(ids, session.execute(chosen.where(RuleTrigger.id.in_(ids))).all())]


def trigger_records(session: Session, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The triggers of those ids, in their order, whole, as an export has them."""
    own = {name: getattr(RuleTrigger, name) for name in EXPORTED if name in RuleTrigger.__table__.columns}
    others = {
        "rule_uuid": Rule.uuid,
        "rule_name": Rule.name,
        "category": Rule.category,
        "event_uid": Event.uid,
        "status": Event.status,
        "flow_name": Event.flow_name,
        "source": Event.source,
    }
    columns = own | others
    chosen = _joined(*(columns[name].label(name) for name in EXPORTED)).where(RuleTrigger.id.in_(ids))
    return [dict(zip(EXPORTED, row, strict=True)) for row in in_order(ids, session.execute(chosen).all())]


def _joined(*columns: Any) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .select_from(RuleTrigger)
        .join(Rule, Rule.id == RuleTrigger.rule_id)
        .join(Event, Event.id == RuleTrigger.event_id)
    )
