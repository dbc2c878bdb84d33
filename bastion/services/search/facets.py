"""The commonest values of the rows that a search selects, in one query over a bounded part of them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from bastion.services.search.counts import COUNTED, VALUES, Facets, FacetValue
from bastion.services.search.event_fields import NOT_SET, UNJUDGED
from bastion.services.search.selection import Selection, find_window
from bastion.services.search.timerange import Period

Counted = sa.Select[Any]


def event_facets(session: Session, selection: Selection, period: Period) -> Facets:
    """Events by status, flow and source, and by the rules that matched in them."""
    window = find_window(session, selection, period, COUNTED)
    chosen = sa.select(Event.id, Event.status, Event.flow_name, sa.func.coalesce(Event.source, "").label("source"))
    event = chosen.where(*selection.where(window.driver, window.period)).cte("event")
    found = (
        sa.select(RuleTrigger.event_id, RuleTrigger.rule_id, RuleTrigger.severity)
        .join(event, event.c.id == RuleTrigger.event_id)
        .cte("found")
    )
    one = sa.func.count(found.c.event_id.distinct())
    severity = sa.func.coalesce(found.c.severity, NOT_SET)
    category = sa.func.coalesce(Rule.category, "")
    return _read(
        session,
        [
            _counted("status", event.c.status, sa.func.count()),
            _counted("flow", event.c.flow_name, sa.func.count()),
            _counted("source", event.c.source, sa.func.count()),
            _counted("severity", severity, one),
            _counted("category", category, one, of=found.join(Rule, Rule.id == found.c.rule_id)),
            _counted("rule", found.c.rule_id, one),
        ],
        None if window.complete else window.period,
    )


def trigger_facets(session: Session, selection: Selection, period: Period) -> Facets:
    """Triggers by rule and what it is, by what was made of them, and by their event's flow and source."""
    window = find_window(session, selection, period, COUNTED)
    chosen = sa.select(
        RuleTrigger.rule_id,
        RuleTrigger.event_id,
        sa.func.coalesce(RuleTrigger.severity, NOT_SET).label("severity"),
        sa.func.coalesce(RuleTrigger.action, "").label("action"),
        sa.func.coalesce(RuleTrigger.disposition, UNJUDGED).label("disposition"),
    )
    trigger = chosen.where(*selection.where(window.driver, window.period)).cte("trigger_")
    event = (
        sa.select(Event.flow_name, sa.func.coalesce(Event.source, "").label("source"))
        .join(trigger, trigger.c.event_id == Event.id)
        .cte("event")
    )
    category = sa.func.coalesce(Rule.category, "")
    return _read(
        session,
        [
            _counted("disposition", trigger.c.disposition, sa.func.count()),
            _counted("severity", trigger.c.severity, sa.func.count()),
            _counted("action", trigger.c.action, sa.func.count()),
            _counted("category", category, sa.func.count(), of=trigger.join(Rule, Rule.id == trigger.c.rule_id)),
            _counted("rule", trigger.c.rule_id, sa.func.count()),
            _counted("flow", event.c.flow_name, sa.func.count()),
            _counted("source", event.c.source, sa.func.count()),
        ],
        None if window.complete else window.period,
    )


def _counted(
    name: str, value: sa.ColumnElement[Any], count: sa.ColumnElement[int], of: sa.FromClause | None = None
) -> Counted:
    """The commonest values of one field, each as text."""
    groups = sa.select(sa.literal(name).label("field"), sa.cast(value, sa.Text).label("value"), count.label("count"))
    groups = groups.group_by(value).order_by(sa.desc("count"), sa.asc("value")).limit(VALUES)
    if of is not None:
        groups = groups.select_from(of)
    # Parts of a UNION have no order of their own in SQLite.
    part = groups.subquery()
    return sa.select(part.c.field, part.c.value, part.c.count)


def _read(session: Session, parts: Sequence[Counted], unfinished: Period | None) -> Facets:
    fields: dict[str, list[FacetValue]] = {}
    counted: Sequence[Any] = session.execute(sa.union_all(*parts)).all()
    for name, value, count in counted:
        fields.setdefault(name, []).append(FacetValue(value, count))
    ranked = {name: sorted(values, key=lambda one: (-one.count, one.value)) for name, values in fields.items()}
    if "rule" in ranked:
        names = _names(session, [int(one.value) for one in ranked["rule"]])
        ranked["rule"] = [
            FacetValue(f"#{one.value}", one.count, names.get(int(one.value), f"rule {one.value}"))
            for one in ranked["rule"]
        ]
    return Facets({name: tuple(values) for name, values in ranked.items()}, unfinished.since if unfinished else None)


def _names(session: Session, ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(sa.select(Rule.id, Rule.name).where(Rule.id.in_(ids)))
    return {row.id: row.name for row in rows}
