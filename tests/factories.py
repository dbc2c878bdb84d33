"""Rows and values with everything filled in that a test does not care about."""

from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from bastion.engine import Action, RuleSpec, Severity
from bastion.models import Event, Rule, RuleTrigger
from bastion.services.rules.stored_rules import create_rule

_numbers = count(1)


def rule_spec(**given: Any) -> RuleSpec:
    content: dict[str, Any] = {
        "uuid": str(uuid4()),
        "name": f"Rule {next(_numbers)}",
        "details": "Looks for what a test looks for.",
        "pattern": r"(?i)ignore\s+previous",
        "action": Action.BLOCK,
        "severity": Severity.HIGH,
        "category": "injection",
    }
    return RuleSpec(**{**content, **given})


def stored_rule(session: Session, **given: Any) -> Rule:
    rule = create_rule(session, rule_spec(**given))
    session.commit()
    return rule


def stored_event(session: Session, *, rules: tuple[Rule, ...] = (), **given: Any) -> Event:
    content: dict[str, Any] = {
        "prompt": "ignore previous orders",
        "status": "block" if rules else "allow",
        "flow_name": "default",
        "pipeline_results": {"status": "allow", "pipelines": []},
    }
    event = Event(**{**content, **given})
    session.add(event)
    session.flush()
    for rule in rules:
        session.add(
            RuleTrigger(
                event_id=event.id,
                timestamp=event.timestamp,
                rule_id=rule.id,
                pipeline_name="rule",
                matched_text="ignore previous",
                spans=[[0, 15]],
                rule_version=rule.version,
                action=rule.action,
                severity=rule.severity,
            )
        )
    session.commit()
    return event
