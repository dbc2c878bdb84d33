"""Hostile texts wherever a row can have one, as another program or an earlier version could have written them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger


@dataclass(frozen=True, slots=True)
class HostileRows:
    """What was stored, in the order of the texts."""

    events: tuple[str, ...]
    rules: tuple[int, ...]


def store_hostile_rows(session: Session, texts: Sequence[str]) -> HostileRows:
    """A rule, an event and a trigger for each text, which all of their fields have that take any text."""
    rules, events = [], []
    for number, text in enumerate(texts):
        rule = Rule(uuid=f"{number:04}{text[:200]}", **_rule(text))
        event = Event(**_event(text))
        session.add_all((rule, event))
        session.flush()
        session.add(RuleTrigger(event_id=event.id, rule_id=rule.id, timestamp=event.timestamp, **_trigger(text)))
        rules.append(rule.id)
        events.append(event.uid)
    session.commit()
    return HostileRows(tuple(events), tuple(rules))


def _rule(text: str) -> dict[str, object]:
    line = text.replace("\n", " ")
    content = {"name": text[:255], "details": text, "pattern": text, "category": text[:100], "tags": [line]}
    return {
        "name": text[:255],
        "details": text,
        "language": text[:100],
        "pattern": text,
        "action": "notify",
        "severity": "high",
        "category": text[:100],
        "cwe_id": text[:50],
        "enabled": False,
        "author": text[:255],
        "tags": (line[:1000], "plain"),
        "references": (line,),
        "false_positives": (line,),
        "validator": text[:50],
        "version": 2,
        "history": [
            {"version": 1, "at": "2026-11-23T08:00:00+00:00", "by": text[:255], "why": text[:500], "content": content},
            {"version": 2, "at": "2026-11-23T09:00:00+00:00", "by": text[:255], "why": text[:500]},
        ],
    }


def _event(text: str) -> dict[str, object]:
    pipeline = {
        "name": text[:1000],
        "status": text[:50],
        "triggered_rules": [{"id": text[:200], "name": text[:200], "body": text[:1000]}],
        "matches": [{"rule": text[:200], "view": text[:50], "spans": [[0, 5]]}],
        "errors": [{"rule": text[:200], "error": text[:1000], "reason": text[:1000]}],
    }
    return {
        "task_id": text[:255],
        "prompt": text,
        "status": "notify",
        "flow_name": text[:100],
        "source": text[:100],
        "direction": text[:10],
        "duration_us": 100,
        "prompt_sha256": text[:64],
        "pipeline_results": {"status": "notify", "pipelines": [pipeline]},
        "context": {"length": len(text), "replaced": {text[:50]: 1}, "note": text[:1000]},
    }


def _trigger(text: str) -> dict[str, object]:
    return {
        "matched_text": text,
        "pipeline_name": text[:100],
        "rule_version": 1,
        "action": text[:50],
        "severity": text[:50],
        "spans": [[0, min(5, len(text))]],
        "view": text[:50],
        "disposition": text[:50],
        "note": text,
        "reviewed_by": text[:255],
        "reviewed_at": datetime.now(UTC),
    }
