"""What an event says has matched, whoever recorded it: Bastion, an earlier version of it, or AIDR Bastion.

What stands in ``pipeline_results`` may have been written by another program, so that nothing about it is taken for
granted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine.verdict import RAW_VIEW, Span
from bastion.models import Event, Rule, RuleTrigger


@dataclass(frozen=True, slots=True)
class Hit:
    """One rule that matched in an event.

    ``number`` counts the hits of an event from 1. ``rule`` is ``None`` once it is deleted, ``trigger`` where none was
    stored, as AIDR Bastion does. ``revealed`` is what the first match says in ``view``, as far as it was kept.
    """

    number: int
    name: str
    uuid: str
    rule: Rule | None
    trigger: RuleTrigger | None
    action: str | None
    severity: str | None
    version: int | None
    matched_text: str | None
    spans: tuple[Span, ...]
    view: str
    revealed: str | None

    @property
    def changed_since(self) -> bool:
        """Whether the rule is another now than the one that fired, as far as that is known."""
        return self.rule is not None and self.version is not None and self.rule.version != self.version


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """What an event says of a pipeline: its outcome, and what went wrong in it, as pairs of rule and reason."""

    name: str
    status: str
    errors: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule that matched and was let pass by one of its exceptions; ``rule_id`` is ``None`` once it is deleted."""

    name: str
    rule_id: int | None
    version: int | None
    matched_text: str | None
    kind: str | None
    reason: str | None


def hits_of(session: Session, event: Event) -> list[Hit]:
    """The rules that matched: those with a trigger, then those that only the results name."""
    named = {found["id"]: found for found in _triggered(event.pipeline_results) if isinstance(found.get("id"), str)}
    hits: list[Hit] = []
    for trigger in event.triggers:
        results = named.pop(trigger.rule.uuid, {})
        hits.append(_of_trigger(len(hits) + 1, trigger, results))
    if named:
        rules = {rule.uuid: rule for rule in session.scalars(sa.select(Rule).where(Rule.uuid.in_(list(named)[:1000])))}
        for uuid, results in named.items():
            hits.append(_of_results(len(hits) + 1, uuid, results, rules.get(uuid)))
    return hits


def pipelines_of(event: Event) -> list[PipelineReport]:
    """The pipelines that an event names, which are those that did not allow."""
    return [
        PipelineReport(_text(one.get("name")) or "not named", _text(one.get("status")) or "not known", _errors(one))
        for one in _pipelines(event.pipeline_results)
    ]


def passed_of(session: Session, event: Event) -> list[Passed]:
    """The rules that matched and do not count, as the results name them."""
    results = event.pipeline_results
    named = (
        [one for one in _dicts(results.get("excepted")) if _text(one.get("id"))] if isinstance(results, dict) else []
    )
    if not named:
        return []
    chosen = sa.select(Rule.uuid, Rule.id).where(Rule.uuid.in_([one["id"] for one in named][:1000]))
    ids = {row.uuid: row.id for row in session.execute(chosen)}
    return [_passed(one, ids.get(one["id"])) for one in named]


def would_be_of(event: Event) -> str | None:
    """What a flow in monitor mode would have answered if it enforced, where that is something else."""
    results = event.pipeline_results
    return _text(results.get("would_be")) if isinstance(results, dict) else None


def _passed(one: dict[str, Any], rule_id: int | None) -> Passed:
    exception = one.get("exception")
    said = exception if isinstance(exception, dict) else {}
    version = one.get("version")
    return Passed(
        name=_text(one.get("name")) or one["id"],
        rule_id=rule_id,
        version=version if type(version) is int else None,
        matched_text=_text(one.get("matched_text")),
        kind=_text(said.get("kind")),
        reason=_text(said.get("reason")),
    )


def _of_trigger(number: int, trigger: RuleTrigger, results: dict[str, Any]) -> Hit:
    return Hit(
        number=number,
        name=trigger.rule.name,
        uuid=trigger.rule.uuid,
        rule=trigger.rule,
        trigger=trigger,
        action=trigger.action or _text(results.get("action")),
        severity=trigger.severity or _text(results.get("severity")),
        version=trigger.rule_version,
        matched_text=trigger.matched_text,
        spans=_spans(trigger.spans),
        view=trigger.view or RAW_VIEW,
        revealed=_text(results.get("revealed_text")),
    )


def _of_results(number: int, uuid: str, results: dict[str, Any], rule: Rule | None) -> Hit:
    return Hit(
        number=number,
        name=_text(results.get("name")) or uuid,
        uuid=uuid,
        rule=rule,
        trigger=None,
        action=_text(results.get("action")),
        severity=_text(results.get("severity")),
        version=None,
        matched_text=_text(results.get("matched_text")),
        spans=_spans(results.get("spans")),
        view=_text(results.get("view")) or RAW_VIEW,
        revealed=_text(results.get("revealed_text")),
    )


def _triggered(results: Any) -> Iterator[dict[str, Any]]:
    for pipeline in _pipelines(results):
        yield from _dicts(pipeline.get("triggered_rules"))


def _pipelines(results: Any) -> list[dict[str, Any]]:
    return _dicts(results.get("pipelines")) if isinstance(results, dict) else []


def _errors(pipeline: dict[str, Any]) -> tuple[tuple[str | None, str], ...]:
    return tuple(
        (_text(one.get("name")), _text(one.get("reason")) or "no reason given")
        for one in _dicts(pipeline.get("errors"))
    )


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _spans(stored: Any) -> tuple[Span, ...]:
    if not isinstance(stored, Sequence) or isinstance(stored, str):
        return ()
    return tuple((span[0], span[1]) for span in stored if _is_span(span))


def _is_span(span: Any) -> bool:
    return isinstance(span, Sequence) and len(span) == 2 and all(type(end) is int for end in span)
