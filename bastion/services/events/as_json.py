"""Events and triggers as JSON has them: the API, the page's raw form, exports."""

from typing import Any

from bastion.models import Event, RuleTrigger


def event_json(event: Event) -> dict[str, Any]:
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


def whole_event_json(event: Event) -> dict[str, Any]:
    """An event with its triggers."""
    return {**event_json(event), "triggers": [trigger_json(trigger) for trigger in event.triggers]}


def trigger_json(trigger: RuleTrigger) -> dict[str, Any]:
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
        "note": trigger.note,
        "reviewed_by": trigger.reviewed_by,
        "reviewed_at": trigger.reviewed_at.isoformat() if trigger.reviewed_at else None,
        "timestamp": trigger.timestamp.isoformat(),
    }
