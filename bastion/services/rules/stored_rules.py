"""Rules as people keep them: listed, written, switched, put away."""

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from bastion.compiler.probing import probe
from bastion.engine import Action, RuleSpec, Severity, Validator, Views
from bastion.engine.exceptions import read_exceptions
from bastion.engine.expressions import expressions_of
from bastion.engine.validation import check_rule
from bastion.errors import Conflict, FieldFault, InvalidRule, NotFound
from bastion.models import MAX_ID, Rule, RuleTrigger, utc_now
from bastion.services.rules.history import Signature, begin_history, check_comment, content_of, continued, get_version
from bastion.services.rules.samples import KINDS, check_samples

Word = TypeVar("Word", bound=StrEnum)

CONTENT: Final = tuple(field.name for field in fields(RuleSpec) if field.name not in ("id", "version"))
"""The fields of a rule that people write."""

_LISTS: Final = ("tags", "references", "false_positives", *KINDS)


def list_rules(
    session: Session,
    *,
    category: str | None = None,
    enabled: bool | None = None,
    skip: int = 0,
    limit: int | None = None,
) -> tuple[int, Sequence[Rule]]:
    """How many rules in use fit the filters, and those of them from ``skip`` on, by id."""
    chosen = sa.select(Rule).where(Rule.archived_at.is_(None))
    if category is not None:
        chosen = chosen.where(Rule.category == category)
    if enabled is not None:
        chosen = chosen.where(Rule.enabled.is_(enabled))
    total = session.scalar(sa.select(sa.func.count()).select_from(chosen.subquery())) or 0
    return total, session.scalars(chosen.order_by(Rule.id).offset(skip).limit(limit)).all()


def archived_rules(session: Session) -> Sequence[Rule]:
    return session.scalars(sa.select(Rule).where(Rule.archived_at.is_not(None)).order_by(Rule.id)).all()


def any_rule(session: Session) -> bool:
    return session.scalar(sa.select(Rule.id).limit(1)) is not None


def categories(session: Session) -> Sequence[str]:
    """The categories in use, by name."""
    chosen = sa.select(Rule.category).where(Rule.category.is_not(None)).distinct().order_by(Rule.category)
    return [category for category in session.scalars(chosen) if category]


def get_rule(session: Session, rule_id: int) -> Rule:
    """Raises ``NotFound``. An archived rule is found: its triggers still point to it."""
    rule = session.get(Rule, rule_id) if rule_id <= MAX_ID else None
    if rule is None:
        raise NotFound(f"there is no rule {rule_id}")
    return rule


def find_rule(session: Session, key: str) -> Rule:
    """The rule of an id or a uuid; raises ``NotFound``."""
    if key.isascii() and key.isdigit() and len(key) < 20:
        return get_rule(session, int(key))
    rule = session.scalar(sa.select(Rule).where(Rule.uuid == key))
    if rule is None:
        raise NotFound(f"there is no rule {key}")
    return rule


def new_uuid() -> str:
    return str(uuid4())


def create_rule(
    session: Session, spec: RuleSpec, *, probed: bool = False, actor: str | None = None, why: str | None = None
) -> Rule:
    """Stores a new rule; ``probed`` says that its pattern and its samples have been tried out.

    ``actor`` is who makes the change, ``why`` their note: here and below, its history keeps both.

    Raises:
        InvalidRule: naming each field that is wrong.
        Conflict: when the uuid is taken.
        CheckUnavailable: when the pattern cannot be tried out now.
    """
    signature = Signature(actor, check_comment(why))
    check_rule(spec)
    if not probed:
        _probe(spec)
        check_samples(spec)
    if spec.uuid.isdigit() or "/" in spec.uuid:
        raise InvalidRule([FieldFault("uuid", "must not be a number, which would be taken for an id, nor have a /")])
    if session.scalar(sa.select(Rule.id).where(Rule.uuid == spec.uuid)) is not None:
        raise Conflict(f"there is a rule with the uuid {spec.uuid} already")
    rule = Rule(**_content(spec))
    begin_history(rule, signature)
    session.add(rule)
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        raise Conflict(f"there is a rule with the uuid {spec.uuid} already") from None
    return rule


def update_rule(
    session: Session,
    rule: Rule,
    changes: dict[str, Any],
    version: int | None = None,
    *,
    probed: bool = False,
    actor: str | None = None,
    why: str | None = None,
) -> Rule:
    """Changes a rule; unchanged content makes no new version.

    ``version`` is the one that the changes were made on, ``None`` to change whatever is there. ``probed`` says that
    the new pattern and the samples have been tried out. A change of nothing but exceptions waits for no sample.

    Raises:
        InvalidRule: naming each field that is wrong.
        Conflict: when the rule has changed since ``version``.
        CheckUnavailable: when a new pattern cannot be tried out now.
    """
    if version is not None and version != rule.version:
        raise Conflict(_changed_meanwhile(rule))
    signature = Signature(actor, check_comment(why))
    before = readable(rule)
    spec = replace(before, **changes)
    check_rule(spec)
    if not probed:
        if (spec.language, spec.pattern) != (rule.language, rule.pattern):
            _probe(spec)
        if rule.archived_at is None and spec != replace(before, exceptions=spec.exceptions):
            check_samples(spec)
    return _save(session, rule, _content(spec), signature)


def bring_back(session: Session, rule: Rule, number: int, version: int | None = None, *, actor: str | None) -> Rule:
    """Makes an earlier version the newest. What runs stays so: neither enabled nor archived is brought back.

    Raises:
        NotFound: when that version is not kept.
        InvalidRule, Conflict, CheckUnavailable: as ``update_rule``.
    """
    content = get_version(rule, number).content or {}
    changes = {name: content[name] for name in CONTENT if name in content and name != "enabled"}
    changes |= {name: tuple(changes[name]) for name in _LISTS if name in changes}
    changes |= {"exceptions": read_exceptions(changes["exceptions"])} if "exceptions" in changes else {}
    changes |= {"action": _word(Action, changes.get("action")) or Action.NOTIFY}
    changes |= {"severity": _word(Severity, changes.get("severity"))}
    changes |= {"views": _word(Views, changes.get("views")) or Views.ALL}
    changes |= {"validator": _word(Validator, changes.get("validator"))}
    return update_rule(session, rule, changes, version, actor=actor, why=f"back to version {number}")


def would_change(rule: Rule, spec: RuleSpec) -> bool:
    """Whether storing this content would make a new version."""
    return any(getattr(rule, name) != value for name, value in _content(spec).items())


def adopt_history(session: Session, rule: Rule, entries: Sequence[dict[str, Any]]) -> None:
    """Gives a rule that was just stored the versions that it had elsewhere, and the number of the newest."""
    newest = max(entry["version"] for entry in entries)
    table = Rule.__table__
    assert isinstance(table, sa.Table)
    session.execute(sa.update(table).where(table.c.id == rule.id).values(version=newest, history=list(entries)))
    session.refresh(rule)


def toggle_rule(session: Session, rule: Rule, *, actor: str | None = None) -> Rule:
    """Enables a disabled rule and the other way round. Raises ``InvalidRule`` for one with a sample that fails."""
    if not rule.enabled:
        check_samples(replace(readable(rule), enabled=True))
    return _save(session, rule, {"enabled": not rule.enabled}, Signature(actor))


def archive_rule(session: Session, rule: Rule, *, actor: str | None = None) -> Rule:
    """Takes a rule out of use and keeps it, with its triggers."""
    return _save(session, rule, {"archived_at": utc_now()}, Signature(actor))


def restore_rule(session: Session, rule: Rule, *, actor: str | None = None) -> Rule:
    """Takes an archived rule back into use, disabled: it was out of sight for a while."""
    return _save(session, rule, {"archived_at": None, "enabled": False}, Signature(actor))


def count_triggers(session: Session, rule: Rule) -> int:
    """How often the rule is evidence."""
    return session.scalar(sa.select(sa.func.count()).where(RuleTrigger.rule_id == rule.id)) or 0


def delete_rule(session: Session, rule: Rule, *, with_triggers: int) -> None:
    """Deletes a rule for good, with the number of triggers that its reader was told.

    Raises:
        Conflict: when the rule has another number of triggers by now.
        NotFound: when somebody else has just deleted it.
    """
    rule_id = rule.id
    try:
        deleted = session.execute(sa.delete(RuleTrigger).where(RuleTrigger.rule_id == rule_id))
        if (found := getattr(deleted, "rowcount", 0)) != with_triggers:
            session.rollback()
            raise Conflict(f"the rule has {found} triggers by now, not {with_triggers}")
        session.delete(rule)
        session.flush()
    except IntegrityError:
        session.rollback()
        raise Conflict("the rule has just triggered again: it is still there") from None
    except StaleDataError:
        session.rollback()
        raise NotFound(f"there is no rule {rule_id}") from None


def retire_rule(session: Session, rule: Rule, *, actor: str | None = None) -> None:
    """Deletes a rule that never triggered, archives one that did: evidence needs its rule."""
    rule_id = rule.id
    if count_triggers(session, rule) == 0:
        try:
            delete_rule(session, rule, with_triggers=0)
            return
        except Conflict:
            rule = get_rule(session, rule_id)
    archive_rule(session, rule, actor=actor)


def _probe(spec: RuleSpec) -> None:
    """Raises ``InvalidRule`` for a pattern that compiles too slowly or too large, though it is of the dialect."""
    lines = expressions_of(spec.language, spec.pattern)
    faults = probe([line for _, line in lines], stop_at_slow=True)
    if found := [
        FieldFault("pattern", f"line {number}, column {faults[line].column}: {faults[line].reason}", number)
        for number, line in lines
        if line in faults
    ]:
        raise InvalidRule(found)


def _content(spec: RuleSpec) -> dict[str, Any]:
    content = {field: getattr(spec, field) for field in CONTENT}
    content["action"] = spec.action.value
    content["severity"] = spec.severity.value if spec.severity else None
    content["views"] = spec.views.value
    content["validator"] = spec.validator.value if spec.validator else None
    return content


def readable(rule: Rule) -> RuleSpec:
    """The rule, with a word that there is not replaced by the mildest or usual one: what is sent can mend it."""
    content = {field: getattr(rule, field) for field in CONTENT}
    content["action"] = _word(Action, rule.action) or Action.NOTIFY
    content["severity"] = _word(Severity, rule.severity)
    content["views"] = _word(Views, rule.views) or Views.ALL
    content["validator"] = _word(Validator, rule.validator)
    return RuleSpec(**content)


def _word(kind: type[Word], stored: str | None) -> Word | None:
    try:
        return kind((stored or "").strip().lower())
    except ValueError:
        return None


def _save(session: Session, rule: Rule, values: dict[str, Any], signature: Signature) -> Rule:
    """Sets what differs, and keeps what it replaces in the rule's history."""
    changed = {name: value for name, value in values.items() if getattr(rule, name) != value}
    if not changed:
        return rule
    message = _changed_meanwhile(rule)
    try:
        rule.history = continued(rule.history, rule.version, content_of(rule), rule.updated_at, signature)
        for name, value in changed.items():
            setattr(rule, name, value)
        session.flush()
    except (StaleDataError, ObjectDeletedError):
        session.rollback()
        raise Conflict(message) from None
    return rule


def _changed_meanwhile(rule: Rule) -> str:
    return f"somebody else has saved rule {rule.id} meanwhile (it was at version {rule.version})"
