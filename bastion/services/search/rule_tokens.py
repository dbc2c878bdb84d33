"""Rules as a search names them: by name, by uuid, or by id as ``#12``."""

from difflib import get_close_matches

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.errors import FieldFault, InvalidInput
from bastion.models import MAX_ID, Rule
from bastion.services.search.tokens import Choice, Search

RuleIds = dict[str, tuple[int, ...]]


def rules_named(session: Session, search: Search) -> RuleIds:
    """The ids behind each value of the field ``rule``, in one query.

    Raises:
        InvalidInput: for a rule that there is not, with names that are close.
    """
    values = {token.value for token in search if token.field == "rule"}
    if not values:
        return {}
    ids = {int(value[1:]) for value in values if _is_id(value)}
    chosen = sa.select(Rule.id, Rule.name, Rule.uuid).where(
        sa.or_(Rule.name.in_(values), Rule.uuid.in_(values), Rule.id.in_(ids))
    )
    rows = session.execute(chosen.order_by(Rule.id)).all()
    found = {
        value: tuple(row.id for row in rows if value in (row.name, row.uuid, f"#{row.id}")) for value in sorted(values)
    }
    if missing := [value for value, rule_ids in found.items() if not rule_ids]:
        names = list(session.scalars(sa.select(Rule.name).where(Rule.archived_at.is_(None)).limit(5000)))
        raise InvalidInput([FieldFault("q", _unknown(value, names)) for value in missing])
    return found


def rule_labels(session: Session, search: Search) -> dict[str, str]:
    """The names of rules that a search gives by id, by the token's text."""
    ids = {int(token.value[1:]) for token in search if token.field == "rule" and _is_id(token.value)}
    if not ids:
        return {}
    rows = session.execute(sa.select(Rule.id, Rule.name).where(Rule.id.in_(ids)))
    return {f"rule:#{row.id}": row.name for row in rows}


def chosen_ids(choice: Choice | None, found: RuleIds) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """The ids that a choice of rules asks for, ``None`` for any, and those that it excludes."""
    if choice is None:
        return None, ()
    wanted = None if choice.any_of is None else tuple({id_: None for value in choice.any_of for id_ in found[value]})
    return wanted, tuple({id_: None for value in choice.none_of for id_ in found[value]})


def _is_id(value: str) -> bool:
    digits = value[1:]
    return (
        value.startswith("#") and digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) <= MAX_ID
    )


def _unknown(value: str, names: list[str]) -> str:
    close = (
        get_close_matches(value, names, n=3, cutoff=0.5)
        or [name for name in names if value.casefold() in name.casefold()][:3]
    )
    hint = f"; close to it: {', '.join(map(repr, close))}" if close else ""
    return f"rule: there is no rule {value[:60]!r}{hint}. A name is written whole, an id as #12"
