"""The rules that a search selects: a page of them, how they divide, and all of them to be exported."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Rule
from bastion.services.rules.stats import RuleActivity, activity_of, judgements, last_days, last_trigger, triggers_since
from bastion.services.search.event_fields import NOT_SET
from bastion.services.search.rules import LADDER, STATUS, rule_conditions
from bastion.services.search.tokens import Search

PER_PAGE: Final = 50
TAGS_SHOWN: Final = 12

SORTS: Final = ("name", "triggers", "precision", "last", "updated")
"""What a list can be sorted by; a minus in front turns it round."""

DEFAULT_SORT: Final = "name"

_COLUMNS: Final = (
    *(Rule.id, Rule.name, Rule.action, Rule.severity, Rule.category, Rule.tags, Rule.author, Rule.views),
    *(Rule.enabled, Rule.version, Rule.updated_at, Rule.archived_at),
)
_EXPORTED: Final = (
    *(*_COLUMNS, Rule.uuid, Rule.details, Rule.language, Rule.pattern),
    *(Rule.cwe_id, Rule.references, Rule.false_positives, Rule.created_at),
)


@dataclass(frozen=True, slots=True)
class ListedRule:
    """A row of the list: the columns of a rule, how far it is rolled out, and what it does."""

    rule: Any
    status: str
    activity: RuleActivity


@dataclass(frozen=True, slots=True)
class RulePage:
    """One page of a list, counted from 1."""

    rules: tuple[ListedRule, ...]
    number: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))


def page_of_rules(session: Session, search: Search, sort: str, number: int, now: datetime) -> RulePage:
    """The page with that number, or the last one there is."""
    conditions = rule_conditions(search, now)
    total = session.scalar(sa.select(sa.func.count()).select_from(Rule).where(*conditions)) or 0
    number = max(1, min(number, -(-total // PER_PAGE)))
    chosen = sa.select(STATUS.label("status"), *_COLUMNS).where(*conditions).order_by(*_order(sort, now))
    rows = session.execute(chosen.offset((number - 1) * PER_PAGE).limit(PER_PAGE)).all()
    return RulePage(_with_activity(session, rows, now), number, total)


def facets(session: Session, search: Search, now: datetime) -> dict[str, list[tuple[str, int]]]:
    """How the selected rules divide, by field: each value with its number of rules."""
    chosen = sa.select(STATUS, Rule.severity, Rule.category, Rule.tags).where(*rule_conditions(search, now))
    counted: Mapping[str, Counter[str]] = {name: Counter() for name in ("status", "severity", "category", "tag")}
    for status, severity, category, tags in session.execute(chosen):
        counted["status"][status] += 1
        counted["severity"][severity or NOT_SET] += 1
        counted["category"][category or ""] += 1
        counted["tag"].update(tags)
    order = {"status": LADDER}
    return {
        name: sorted(found.items(), key=lambda item: order[name].index(item[0]))
        if name in order
        else found.most_common(TAGS_SHOWN)
        for name, found in counted.items()
    }


def selected_ids(session: Session, search: Search, now: datetime) -> Sequence[int]:
    """The ids of all rules that the search selects."""
    return session.scalars(sa.select(Rule.id).where(*rule_conditions(search, now)).order_by(Rule.id)).all()


def exported_rules(database: sa.Engine, search: Search, sort: str, now: datetime) -> Iterator[ListedRule]:
    """All rules that the search selects, whole, read a few at a time in short transactions."""
    with Session(database) as session:
        ids = session.scalars(
            sa.select(Rule.id).where(*rule_conditions(search, now)).order_by(*_order(sort, now))
        ).all()
    for start in range(0, len(ids), PER_PAGE):
        some = ids[start : start + PER_PAGE]
        with Session(database) as session:
            chosen = sa.select(STATUS.label("status"), *_EXPORTED).where(Rule.id.in_(some))
            found = {row.id: row for row in session.execute(chosen)}
            listed = _with_activity(session, [found[rule_id] for rule_id in some if rule_id in found], now)
        yield from listed


def _with_activity(session: Session, rows: Sequence[sa.Row[Any]], now: datetime) -> tuple[ListedRule, ...]:
    activity = activity_of(session, [row.id for row in rows], now)
    # A rule that was deleted between the two queries is left out.
    return tuple(ListedRule(row, row.status, activity[row.id]) for row in rows if row.id in activity)


def _order(sort: str, now: datetime) -> list[sa.ColumnElement[Any]]:
    name = sort.removeprefix("-")
    right, judged = judgements()
    columns: dict[str, sa.ColumnElement[Any]] = {
        "name": sa.func.lower(Rule.name),
        "triggers": triggers_since(last_days(now)[0][0]),
        "precision": right * 1.0 / sa.func.nullif(judged, 0),
        "last": last_trigger(),
        "updated": sa.type_coerce(Rule.updated_at, Rule.updated_at.type),
    }
    column = columns[name]
    return [(column.desc() if sort.startswith("-") else column.asc()).nulls_last(), Rule.id.asc()]
