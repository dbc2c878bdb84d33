"""A rule's ladder: draft, monitor, enforce. What a step changes, told by yesterday's events, and the step itself."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from bastion.engine import Action, RuleSpec, Status
from bastion.engine.layers import Compiler
from bastion.errors import InvalidRule
from bastion.models import Rule, utc_now
from bastion.services.rules.backtest import Backtest, Found, Pair, since, total
from bastion.services.rules.samples import lacking_samples
from bastion.services.rules.stored_rules import readable, update_rule

BACK: Final = timedelta(hours=24)

SECONDS: Final = 1.5
"""How long yesterday's events are looked at, about: a page waits for it."""

ROWS: Final = 50_000
"""How many of them, at most."""


class Stage(StrEnum):
    """How far a rule is rolled out."""

    DRAFT = "draft"
    MONITOR = "monitor"
    ENFORCE = "enforce"


CHANGES: Final[dict[Stage, dict[str, Any]]] = {
    Stage.DRAFT: {"enabled": False},
    Stage.MONITOR: {"enabled": True, "action": Action.NOTIFY},
    Stage.ENFORCE: {"enabled": True, "action": Action.BLOCK},
}
"""What a rule says on each stage; a draft keeps its action."""

_RANK: Final = {Status.ALLOW.value: 0, Status.NOTIFY.value: 1, Status.ERROR.value: 2, Status.BLOCK.value: 3}


@dataclass(slots=True)
class Effect:
    """What a rule on a stage would have changed among the newest of yesterday's events.

    ``by_status`` counts those that it matches by what was answered, ``raised`` those of them of which it would have
    made more: ``notify`` or ``block``. ``watched`` are matches in flows that only monitor, ``elsewhere`` those in
    flows that do not ask rules of its category.
    """

    stage: Stage
    events: int
    looked_at: int = 0
    untestable: int = 0
    unfinished: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    raised: int = 0
    watched: int = 0
    elsewhere: int = 0
    found: list[Found] = field(default_factory=list)

    @property
    def matched(self) -> int:
        return self.by_status.total()


@dataclass(frozen=True, slots=True)
class Policies:
    """What flows make of a rule, by their names: ``monitoring`` never block, ``deaf`` do not ask it."""

    monitoring: Collection[str] = ()
    deaf: Collection[str] = ()


def stage_of(rule: Rule) -> Stage:
    if not rule.enabled:
        return Stage.DRAFT
    return Stage.ENFORCE if rule.action.strip().lower() == Action.BLOCK else Stage.MONITOR


def effect_of(session: Session, spec: RuleSpec, stage: Stage, policies: Policies, compiler: Compiler) -> Effect:
    """What the rule would have changed in the last 24 hours, as far as that can be told in ``SECONDS``.

    A draft changes nothing any more, so that for it the events are those that the rule would cease to change.
    """
    draft = replace(spec, **CHANGES[Stage.MONITOR if stage is Stage.DRAFT else stage])
    now = utc_now()
    conditions = since(now - BACK, now)
    effect = Effect(stage, total(session, conditions))
    test = Backtest([Pair(draft)], compiler)
    ends = time.monotonic() + SECONDS
    cursor = None
    while effect.looked_at < ROWS and (left := ends - time.monotonic()) > 0:
        step = test.step(session, conditions, cursor, rows=ROWS - effect.looked_at, seconds=left)
        (outcome,) = step.outcomes
        effect.looked_at += step.looked_at
        effect.untestable += step.untestable
        effect.unfinished += outcome.unfinished
        effect.found += outcome.found
        for (status, flow), count in outcome.answered.items():
            _add(effect, status, count, flow, policies)
        cursor = step.cursor
        if cursor is None:
            break
    return effect


def _add(effect: Effect, status: str, count: int, flow: str, policies: Policies) -> None:
    if flow in policies.deaf:
        effect.elsewhere += count
        return
    effect.by_status[status] += count
    blocks = effect.stage is Stage.ENFORCE and flow not in policies.monitoring
    if effect.stage is Stage.ENFORCE and not blocks:
        effect.watched += count
    would_be = Status.BLOCK if blocks else Status.NOTIFY
    if _RANK.get(status, 0) < _RANK[would_be.value]:
        effect.raised += count


def take_step(session: Session, rule: Rule, stage: Stage, version: int | None, *, actor: str, why: str | None) -> Rule:
    """Puts the rule on a stage; raises as ``update_rule``, and ``InvalidRule`` for one that lacks samples to block."""
    before = readable(rule)
    if lacking := lacking_samples(replace(before, **CHANGES[stage]), before):
        raise InvalidRule(lacking)
    said = why or f"rolled out: {stage_of(rule)} to {stage}"
    return update_rule(session, rule, dict(CHANGES[stage]), version, actor=actor, why=said)
