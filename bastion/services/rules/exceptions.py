"""Exceptions of a rule: begun from an event, tried on past triggers, added and taken away."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Engine, ExceptionKind, Origin, RuleException, RuleSpec
from bastion.engine.excepting import hash_of, is_of
from bastion.engine.exceptions import MAX_VALUE, SHA256
from bastion.engine.layers import Compiler
from bastion.engine.validation import exception_faults
from bastion.errors import InvalidInput, InvalidRule, NotFound
from bastion.models import Event, Rule, RuleTrigger, utc_now
from bastion.services.rules.from_text import MAX_TEXT, pattern_for
from bastion.services.rules.history import MAX_COMMENT
from bastion.services.rules.stored_rules import update_rule

MAX_TRIGGERS: Final = 2_000
"""Past triggers that an exception is tried on, the newest first."""

SECONDS: Final = 1.0
"""How long it is tried, about."""

_FETCHED: Final = 100
_AROUND: Final = 40
"""Code points on either side of a match that an expression begins with."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """Of the newest triggers of a rule that were looked at, how many an exception would have kept from happening.

    ``untestable`` are those whose text was not kept, where a text is looked for. ``complete`` says that there are no
    older ones.
    """

    count: int
    looked_at: int
    untestable: int
    complete: bool


def new_exception(
    kind: ExceptionKind, value: str, reason: str, until: datetime | None, author: str | None
) -> RuleException:
    """Raises ``InvalidRule`` naming each of ``value``, ``reason`` and ``until`` that is wrong."""
    made = RuleException(
        id=secrets.token_hex(4),
        kind=kind,
        value=value,
        reason=reason.strip(),
        created_at=utc_now(),
        author=author,
        until=until,
    )
    if faults := list(exception_faults(made)):
        raise InvalidRule(faults)
    return made


def add_exception(session: Session, rule: Rule, one: RuleException, version: int | None, *, actor: str) -> Rule:
    """Raises as ``update_rule``."""
    changes = {"exceptions": (*rule.exceptions, one)}
    return update_rule(session, rule, changes, version, actor=actor, why=_why(f"exception ({one.kind})", one))


def remove_exception(session: Session, rule: Rule, key: str, version: int | None, *, actor: str) -> Rule:
    """Raises ``NotFound`` for an exception that the rule does not have, and as ``update_rule``."""
    gone = next((one for one in rule.exceptions if one.id == key), None)
    if gone is None:
        raise NotFound(f"rule {rule.id} has no exception {key[:20]}")
    changes = {"exceptions": tuple(one for one in rule.exceptions if one is not gone)}
    return update_rule(session, rule, changes, version, actor=actor, why=_why(f"without exception ({gone.kind})", gone))


def _why(what: str, one: RuleException) -> str:
    return f"{what}: {one.reason}"[:MAX_COMMENT]


def suggested(event: Event, kind: ExceptionKind, spans: Sequence[tuple[int, int]]) -> str:
    """What an exception of that kind would be about, for a match at those places of an event; empty if not known."""
    match kind:
        case ExceptionKind.SOURCE:
            return event.source or ""
        case ExceptionKind.FLOW:
            return event.flow_name
        case ExceptionKind.TEXT:
            return _exactly(event)
    return _expression(event.prompt, spans) if event.prompt and spans else ""


def _exactly(event: Event) -> str:
    """The text, or its hash if it is long, was not kept as it was sent, or would not come through a form unchanged."""
    sent = SHA256 + event.prompt_sha256 if event.prompt_sha256 else None
    text = event.prompt or ""
    plain = all(character.isprintable() or character in "\n\t" for character in text)
    if text.strip() and plain and len(text) <= MAX_VALUE and sent in (None, hash_of(text)):
        return text
    return sent or (hash_of(text) if text else "")


def _expression(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A pattern for the first match with what stands around it in its line."""
    start, end = spans[0]
    before = text[max(0, start - _AROUND) : start].rpartition("\n")[2]
    after = text[end : end + _AROUND].partition("\n")[0]
    for piece in (before + text[start:end] + after, text[start:end][:MAX_TEXT]):
        try:
            return pattern_for(piece)
        except InvalidInput:
            continue
    return ""


def silenced(session: Session, spec: RuleSpec, one: RuleException, compiler: Compiler) -> Silenced:
    """Tries an exception on the newest triggers of a stored rule."""
    trial = _Trial(spec, one, compiler)
    prompt = Event.prompt if trial.reads_texts else sa.null().label("prompt")
    chosen = (
        sa.select(RuleTrigger.id, Event.source, Event.flow_name, Event.prompt_sha256, prompt)
        .join(Event, Event.id == RuleTrigger.event_id)
        .where(RuleTrigger.rule_id == spec.id)
        .order_by(RuleTrigger.timestamp.desc(), RuleTrigger.id.desc())
        .limit(MAX_TRIGGERS + 1)
    )
    count = looked_at = untestable = 0
    ends = time.monotonic() + SECONDS
    with session.execute(chosen, execution_options={"yield_per": _FETCHED}) as rows:
        for row in rows:
            if looked_at == MAX_TRIGGERS or (looked_at and time.monotonic() > ends):
                return Silenced(count, looked_at, untestable, complete=False)
            looked_at += 1
            known = trial.silences(row)
            count += known is True
            untestable += known is None
    return Silenced(count, looked_at, untestable, complete=True)


def silences(spec: RuleSpec, one: RuleException, event: Event, compiler: Compiler) -> bool | None:
    """Whether the exception would keep the rule from triggering in an event; ``None`` if its text was not kept."""
    return _Trial(spec, one, compiler).silences(event)


class _Trial:
    """One exception of a rule, as detection would apply it now."""

    def __init__(self, spec: RuleSpec, one: RuleException, compiler: Compiler) -> None:
        self._one = replace(one, until=None)
        by_text = one.kind is ExceptionKind.TEXT
        self._hash = one.value if by_text and one.value.startswith(SHA256) else hash_of(one.value) if by_text else None
        self._engine: Engine | None = None
        if one.kind is ExceptionKind.REGEX:
            self._engine = Engine([replace(spec, exceptions=(self._one,))], compiler)

    @property
    def reads_texts(self) -> bool:
        return self._hash is not None or self._engine is not None

    def silences(self, row: Any) -> bool | None:
        origin = Origin(row.source, row.flow_name)
        if not self.reads_texts:
            return is_of(self._one, "", origin)
        if self._hash is not None and row.prompt_sha256 is not None:
            return bool(self._hash == SHA256 + row.prompt_sha256)
        if row.prompt is None:
            return None
        if self._engine is None:
            return self._hash == hash_of(row.prompt)
        verdict = self._engine.scan(row.prompt)
        return bool(self._engine.apply_exceptions(verdict, row.prompt, origin, utc_now()).excepted)
