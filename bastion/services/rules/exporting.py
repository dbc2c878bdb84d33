"""Stored rules as files have them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from bastion.engine import RuleSpec
from bastion.models import Rule
from bastion.services.rules.history import kept_entries
from bastion.services.rules.stored_rules import readable

_AT_ONCE: Final = 200

Exported = tuple[RuleSpec, Sequence[dict[str, Any]]]
"""A rule, and its versions if they were asked for."""


def rules_in_use(session: Session) -> Sequence[int]:
    """The ids of all rules that are not archived."""
    return session.scalars(sa.select(Rule.id).where(Rule.archived_at.is_(None)).order_by(Rule.id)).all()


def exported(session: Session, rule_ids: Sequence[int], *, with_history: bool = False) -> Iterator[Exported]:
    """Those of the rules that there still are, in that order."""
    for start in range(0, len(rule_ids), _AT_ONCE):
        chosen = sa.select(Rule).where(Rule.id.in_(rule_ids[start : start + _AT_ONCE]))
        if with_history:
            chosen = chosen.options(undefer(Rule.history)).execution_options(populate_existing=True)
        found = {rule.id: rule for rule in session.scalars(chosen)}
        for rule_id in rule_ids[start : start + _AT_ONCE]:
            if rule := found.get(rule_id):
                yield readable(rule), kept_entries(rule) if with_history else ()
        session.expunge_all()
