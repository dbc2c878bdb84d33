"""What a database session changes of rules, judgements and evidence, written to the audit log when it is committed.

It listens to the session that pages, API and commands share, so that none of them can forget to say so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Result
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker

from bastion.models import Event, Rule, RuleTrigger
from bastion.services.audit.log import Note

_PENDING: Final = "audit: done and not yet committed"
_NOTE: Final = "audit: where it is written"

_UNSAID: Final = frozenset({"id", "version", "created_at", "updated_at", "history"})
_TEXTS: Final = frozenset({"samples", "exceptions", "note"})
"""They may quote what somebody sent: the log says that they have changed, never what they are."""
_JUDGEMENT: Final = ("disposition", "note", "reviewed_by")


@dataclass(frozen=True, slots=True)
class _Done:
    action: str
    target: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] | None = None


def audit_changes(sessions: sessionmaker[Any], note: Callable[[], Note]) -> None:
    """Makes those sessions write down what they commit; ``note`` is asked for when there is something to write."""
    sessions.configure(info={_NOTE: note})
    if not event.contains(sessions, "after_flush", _flushed):
        event.listen(sessions, "after_flush", _flushed)
        event.listen(sessions, "do_orm_execute", _executed, retval=True)
        event.listen(sessions, "after_commit", _committed)
        event.listen(sessions, "after_soft_rollback", _rolled_back)


def note_when_committed(
    session: Session,
    action: str,
    detail: Mapping[str, Any] | None = None,
    *,
    target: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Adds a line about what the session does and the listeners cannot see: an import as a whole, or statements that
    are sent to its connection and so past it.
    """
    session.info.setdefault(_PENDING, []).append(_Done(action, target or {}, before, after, detail))


def _flushed(session: Session, _context: object) -> None:
    pending = session.info.setdefault(_PENDING, [])
    pending += [_created(one) for one in session.new if isinstance(one, Rule)]
    pending += [_deleted(one) for one in session.deleted if isinstance(one, Rule | Event | RuleTrigger)]
    for one in session.dirty:
        if isinstance(one, Rule):
            pending += _rule_changes(one)
        elif isinstance(one, RuleTrigger):
            pending += _judgement(one)


def _executed(state: ORMExecuteState) -> Result[Any] | None:
    """Statements that change many rows at once go past the session's objects."""
    table: Any = state.bind_mapper.class_ if state.bind_mapper is not None else None
    if table not in _NAMES or not (state.is_insert or state.is_update or state.is_delete):
        return None
    result = state.invoke_statement()
    rows = getattr(result, "rowcount", None)
    if rows != 0:
        word = "inserted" if state.is_insert else "updated" if state.is_update else "deleted"
        done = _Done(f"{_NAMES[table]}.{word}", {"table": table.__tablename__}, detail={"rows": rows})
        state.session.info.setdefault(_PENDING, []).append(done)
    return result


def _committed(session: Session) -> None:
    done = session.info.pop(_PENDING, ())
    if done and (note := session.info.get(_NOTE)):
        for one in done:
            note()(one.action, one.target or None, before=one.before, after=one.after, detail=one.detail)


def _rolled_back(session: Session, transaction: SessionTransaction) -> None:
    # What is undone up to a savepoint stays in the list: rather a line too many than one too few.
    if not transaction.nested:
        session.info.pop(_PENDING, None)


_NAMES: Final[dict[Any, str]] = {Rule: "rule", Event: "event", RuleTrigger: "trigger"}


def _target(one: Rule | Event | RuleTrigger) -> dict[str, Any]:
    if isinstance(one, Rule):
        return {"rule": one.id, "uuid": one.uuid, "name": one.name, "version": one.version}
    if isinstance(one, RuleTrigger):
        return {"trigger": one.id, "event": one.event_id, "rule": one.rule_id}
    return {"event": one.id, "uid": one.uid}


def _created(rule: Rule) -> _Done:
    content = {
        column.key: _shown(column.key, getattr(rule, column.key))
        for column in sa.inspect(Rule).column_attrs
        if column.key not in _UNSAID and column.key in rule.__dict__
    }
    return _Done("rule.created", _target(rule), after={key: value for key, value in content.items() if value})


def _deleted(one: Rule | Event | RuleTrigger) -> _Done:
    return _Done(f"{_NAMES[type(one)]}.deleted", _target(one))


def _rule_changes(rule: Rule) -> list[_Done]:
    before, after = _changes(rule, [one.key for one in sa.inspect(Rule).column_attrs if one.key not in _UNSAID])
    if not after:
        return []
    return [_Done(_rule_action(after), _target(rule), before, after)]


def _rule_action(after: Mapping[str, Any]) -> str:
    if "archived_at" in after:
        return "rule.archived" if after["archived_at"] else "rule.restored"
    if set(after) == {"enabled"}:
        return "rule.enabled" if after["enabled"] else "rule.disabled"
    return "rule.changed"


def _judgement(trigger: RuleTrigger) -> list[_Done]:
    before, after = _changes(trigger, _JUDGEMENT)
    return [_Done("trigger.judged", _target(trigger), before, after)] if after else []


def _changes(one: Rule | RuleTrigger, fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    state: Any = sa.inspect(one)
    for field in fields:
        history = state.attrs[field].history
        if not history.has_changes():
            continue
        old, new = (next(iter(values or ()), None) for values in (history.deleted, history.added))
        before[field], after[field] = _shown(field, old), _shown(field, new)
    return before, after


def _shown(field: str, value: Any) -> Any:
    if field in _TEXTS:
        return "(not logged)" if value else None
    return list(value) if isinstance(value, tuple) else value
