"""One change to many rules: first what it would do, then the change itself, to what has not changed since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from bastion.engine import Action
from bastion.engine.validation import MAX_TEXT, UNSTORABLE
from bastion.errors import FieldFault, InvalidInput
from bastion.models import Rule, utc_now
from bastion.services.rules.history import Signature, check_comment, content_of, continued
from bastion.services.rules.samples import lacking_samples, sample_faults
from bastion.services.rules.stored_rules import readable

MAX_RULES: Final = 5_000
"""Rules that one change may be for."""

_AT_ONCE: Final = 200
"""Rules in memory at a time: each comes with its history."""


class Kind(StrEnum):
    """What can be done to many rules."""

    ENABLE = "enable"
    DISABLE = "disable"
    NOTIFY = "notify"
    BLOCK = "block"
    ADD_TAG = "add-tag"
    REMOVE_TAG = "remove-tag"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class BulkChange:
    """One change; ``tag`` is what the two that are about tags need."""

    kind: Kind
    tag: str = ""

    def check(self) -> None:
        """Raises ``InvalidInput``."""
        if self.kind in (Kind.ADD_TAG, Kind.REMOVE_TAG):
            if not self.tag:
                raise InvalidInput([FieldFault("tag", "wants the tag to add or remove")])
            if not self.tag.isprintable() or UNSTORABLE.search(self.tag):
                raise InvalidInput([FieldFault("tag", "must be printable characters in a single line")])


@dataclass(frozen=True, slots=True)
class Planned:
    """What a change would do to one rule: whether it ``changes`` anything, and why it is refused."""

    id: int
    name: str
    version: int
    changes: bool
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a change has done: how many rules it changed, and which it left alone because of whom."""

    changed: int
    skipped: tuple[str, ...]


def plan(session: Session, rule_ids: Sequence[int], change: BulkChange) -> list[Planned]:
    """What the change would do to each of the rules that there still are."""
    change.check()
    if len(rule_ids) > MAX_RULES:
        raise InvalidInput([FieldFault("rules", f"are {len(rule_ids):,}, at most {MAX_RULES:,} are changed at once")])
    return [
        Planned(rule.id, rule.name, rule.version, bool(_values(rule, change)), _refusal(rule, change))
        for rule in _rules(session, rule_ids)
    ]


def apply(
    session: Session, versions: dict[int, int], change: BulkChange, *, actor: str | None, why: str | None = None
) -> Done:
    """Makes the change to those of the rules that are still at the version that was planned for."""
    change.check()
    signature = Signature(actor, check_comment(why))
    changed = 0
    skipped: list[str] = []
    missing = set(versions)
    # SQLite has one writer, which this makes us; PostgreSQL locks the rules as they are read.
    session.execute(sa.text("UPDATE rules SET version = version WHERE 1 = 0"))
    for rule in _rules(session, list(versions), locked=True):
        missing.discard(rule.id)
        values = _values(rule, change)
        if rule.version != versions[rule.id]:
            skipped.append(f"{rule.name} has been changed meanwhile")
        elif reason := _refusal(rule, change):
            skipped.append(f"{rule.name} {reason}")
        elif values:
            rule.history = continued(rule.history, rule.version, content_of(rule), rule.updated_at, signature)
            for name, value in values.items():
                setattr(rule, name, value)
            changed += 1
    skipped += [f"rule {rule_id} has been deleted meanwhile" for rule_id in sorted(missing)]
    return Done(changed, tuple(skipped))


def _rules(session: Session, rule_ids: Sequence[int], *, locked: bool = False) -> Iterator[Rule]:
    for start in range(0, len(rule_ids), _AT_ONCE):
        chosen = sa.select(Rule).where(Rule.id.in_(rule_ids[start : start + _AT_ONCE])).order_by(Rule.id)
        if locked:
            # Triggers that are stored meanwhile refer to these rules: only their ids must stay.
            chosen = chosen.with_for_update(key_share=True)
            chosen = chosen.options(undefer(Rule.history)).execution_options(populate_existing=True)
        found = session.scalars(chosen).all()
        yield from found
        session.flush()
        for rule in found:
            session.expunge(rule)


def _values(rule: Rule, change: BulkChange) -> dict[str, Any]:
    """The columns that the change would set to something else."""
    wanted: dict[str, Any]
    match change.kind:
        case Kind.ENABLE | Kind.DISABLE:
            wanted = {"enabled": change.kind is Kind.ENABLE}
        case Kind.NOTIFY | Kind.BLOCK:
            wanted = {"action": Action(change.kind.value).value}
        case Kind.ADD_TAG:
            wanted = {"tags": (*rule.tags, *({change.tag} - set(rule.tags)))}
        case Kind.REMOVE_TAG:
            wanted = {"tags": tuple(tag for tag in rule.tags if tag != change.tag)}
        case Kind.ARCHIVE:
            return {} if rule.archived_at else {"archived_at": utc_now()}
    return {name: value for name, value in wanted.items() if getattr(rule, name) != value}


def _refusal(rule: Rule, change: BulkChange) -> str | None:
    if not _values(rule, change):
        return None
    if rule.archived_at and change.kind is not Kind.ARCHIVE:
        return "is archived: restore it first"
    if change.kind is Kind.ADD_TAG and sum(map(len, (*rule.tags, change.tag))) > MAX_TEXT:
        return f"would have more than {MAX_TEXT:,} characters of tags"
    if change.kind in (Kind.ENABLE, Kind.BLOCK):
        before = readable(rule)
        after = replace(before, enabled=rule.enabled or change.kind is Kind.ENABLE)
        if change.kind is Kind.BLOCK:
            after = replace(after, action=Action.BLOCK)
        if lacking := lacking_samples(after, before):
            return f"would begin to block: {lacking[0]}"
        if change.kind is Kind.ENABLE and (faults := sample_faults(before)):
            return f"has a sample that fails: {faults[0]}"
    return None
