"""What today's rules say of a text that was judged before, beside what was said then."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Match, RuleException, Verdict
from bastion.models import Rule
from bastion.services.events.evidence import Hit


class Outcome(StrEnum):
    """What became of a rule's match."""

    NEW = "new"
    LOST = "lost"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule that matched then, now, or both times. ``why`` explains the difference as far as it is known."""

    outcome: Outcome
    name: str
    rule_id: int | None
    then: Hit | None
    now: Match | None
    why: str


def compare(session: Session, hits: Sequence[Hit], verdict: Verdict) -> list[Difference]:
    """Every rule that matched then or now, those that differ first."""
    then = {hit.uuid: hit for hit in hits}
    now = {match.rule.uuid: match for match in verdict.matches}
    unfinished = {fault.rule.uuid for fault in verdict.faults}
    excepted = {one.match.rule.uuid: one.exception for one in verdict.excepted}
    stored = {rule.uuid: rule for rule in session.scalars(sa.select(Rule).where(Rule.uuid.in_([*then, *now])))}
    found = [
        _difference(then.get(uuid), now.get(uuid), stored.get(uuid), uuid in unfinished, excepted.get(uuid))
        for uuid in {**then, **now}
    ]
    return sorted(found, key=lambda one: (list(Outcome).index(one.outcome), one.name))


def _difference(
    then: Hit | None, now: Match | None, rule: Rule | None, unfinished: bool, exception: RuleException | None
) -> Difference:
    name = now.rule.name if now else then.name if then else ""
    rule_id = rule.id if rule else None
    if then is None:
        assert now is not None
        return Difference(Outcome.NEW, name, rule_id, then, now, f"version {now.rule.version} matches")
    if now is None:
        return Difference(Outcome.LOST, name, rule_id, then, now, _why_lost(then, rule, unfinished, exception))
    why = _versions(then, now.rule.version)
    if now.view != then.view:
        why = f"{why}; found in the view {now.view}, then in {then.view}"
    return Difference(Outcome.SAME, name, rule_id, then, now, why)


def _why_lost(then: Hit, rule: Rule | None, unfinished: bool, exception: RuleException | None) -> str:
    if exception is not None:
        return f"matches, but is excepted: {exception.reason}"
    if unfinished:
        return "ran out of time"
    if rule is None:
        return "the rule is deleted"
    if rule.archived_at is not None:
        return "the rule is archived"
    if not rule.enabled:
        return "the rule is disabled"
    return f"{_versions(then, rule.version)} does not match"


def _versions(then: Hit, version: int) -> str:
    if then.version is None:
        return f"version {version}, then not known"
    return f"version {version}, as then" if then.version == version else f"version {version}, then {then.version}"
