"""Triggers as people look at them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlakeyset import Page, select_page
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger


def page_of_triggers(session: Session, *, rule_id: int | None, per_page: int, bookmark: str | None) -> Page[Any]:
    """One page of triggers, newest first, of one rule or of all, with the rule's name and the event's outcome."""
    chosen = (
        sa.select(
            RuleTrigger.id,
            RuleTrigger.timestamp,
            RuleTrigger.rule_id,
            RuleTrigger.rule_version,
            RuleTrigger.action,
            RuleTrigger.severity,
            sa.func.substr(RuleTrigger.matched_text, 1, 200).label("excerpt"),
            Rule.name.label("rule_name"),
            Event.id.label("event_id"),
            Event.uid.label("event_uid"),
            Event.status.label("status"),
        )
        .join(Rule, Rule.id == RuleTrigger.rule_id)
        .join(Event, Event.id == RuleTrigger.event_id)
        .order_by(RuleTrigger.timestamp.desc(), RuleTrigger.id.desc())
    )
    if rule_id is not None:
        chosen = chosen.where(RuleTrigger.rule_id == rule_id)
    return select_page(session, chosen, per_page=per_page, page=bookmark)


def rules_by_triggers(session: Session) -> Sequence[tuple[int, str, int]]:
    """Id, name and number of triggers of each rule that ever triggered, the busiest first."""
    count = sa.func.count(RuleTrigger.id)
    chosen = (
        sa.select(Rule.id, Rule.name, count)
        .join(RuleTrigger, RuleTrigger.rule_id == Rule.id)
        .group_by(Rule.id, Rule.name)
        .order_by(count.desc(), Rule.id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(chosen)]
