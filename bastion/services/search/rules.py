"""What rules can be searched by. There are thousands at most, so that a search may look at each."""

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from bastion.engine import Action, Views
from bastion.models import Rule, RuleTrigger
from bastion.services.search.event_fields import NOT_SET, NOTHING, SEVERITIES
from bastion.services.search.selection import Condition, checked, has_text
from bastion.services.search.tokens import Choice, Field, Search, choices, free_text

LADDER: Final = ("draft", "monitor", "enforce")
"""How far a rule is rolled out: disabled, notifying, blocking."""

ARCHIVED: Final = "archived"
SPANS: Final = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}

FIELDS: Final = {
    field.name: field
    for field in (
        Field(
            "status", "draft (disabled), monitor (notifies) or enforce (blocks); also status:>=monitor", LADDER, True
        ),
        Field("severity", "how bad a match is; also >=, >, <, <=: severity:>=high", (NOT_SET, *SEVERITIES), True),
        Field("category", 'the category; category:"" for none'),
        Field("tag", "one of its tags, in any case: tag:LLM01:2025"),
        Field("author", 'who wrote it; author:"" for nobody named'),
        Field("views", "in which forms of a text it is looked for", tuple(Views)),
        Field("triggered", "matched within that time; !triggered:30d for silent rules", tuple(SPANS)),
        Field("is", "archived rules, which are left out otherwise", (ARCHIVED,)),
    )
}

# Words that other programs stored are read as the engine reads them.
_ACTION: Final[sa.ColumnElement[str]] = sa.func.lower(sa.func.trim(Rule.action))
_SEVERITY: Final[sa.ColumnElement[str]] = sa.func.lower(sa.func.trim(Rule.severity))
STATUS: Final = sa.case(
    (sa.not_(Rule.enabled), LADDER[0]), (_ACTION.in_([Action.BLOCK.value]), LADDER[2]), else_=LADDER[1]
)


def rule_conditions(search: Search, now: datetime) -> list[Condition]:
    """What a rule must be to be selected."""
    asked = choices(search, FIELDS)
    found: list[Condition] = _archived(asked.get("is", NOTHING))
    columns = (
        (STATUS, "status", ""),
        (_SEVERITY, "severity", NOT_SET),
        (Rule.category, "category", ""),
        (Rule.author, "author", ""),
        (Rule.views, "views", ""),
    )
    for column, name, empty in columns:
        found += checked(column, asked.get(name, NOTHING), empty)
    found += _either(asked.get("tag", NOTHING), _tagged)
    found += _either(asked.get("triggered", NOTHING), lambda span: _triggered(now - SPANS[span]))
    return found + [has_text(word, Rule.name, Rule.details, Rule.pattern) for word in free_text(search)]


def _archived(choice: Choice) -> list[Condition]:
    if choice.any_of and not choice.none_of:
        return [Rule.archived_at.is_not(None)]
    return [Rule.archived_at.is_(None)]


def _either(choice: Choice, condition: Any) -> list[Condition]:
    found = [sa.not_(condition(value)) for value in choice.none_of]
    return [sa.or_(*map(condition, choice.any_of)), *found] if choice.any_of else found


def _tagged(tag: str) -> Condition:
    """Tags are kept one a line."""
    lines = sa.literal("\n") + sa.func.coalesce(sa.type_coerce(Rule.tags, sa.Text), "") + sa.literal("\n")
    return lines.icontains(f"\n{tag}\n", autoescape=True) if tag else Rule.tags.is_(None)


def _triggered(since: datetime) -> Condition:
    return sa.exists().where(RuleTrigger.rule_id == Rule.id, RuleTrigger.timestamp >= since).correlate(Rule)
