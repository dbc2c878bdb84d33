"""What triggers can be searched by."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Action
from bastion.models import Event, Rule, RuleTrigger
from bastion.services.search.event_fields import (
    CATEGORY,
    DISPOSITION,
    FLOW,
    NOT_SET,
    NOTHING,
    RULE,
    SEVERITY,
    SOURCE,
    STATUS,
    UNJUDGED,
    VIEW,
    rule_drivers,
)
from bastion.services.search.rule_tokens import chosen_ids, rules_named
from bastion.services.search.selection import Condition, Driver, Listing, Selection, checked, has_text, within
from bastion.services.search.timerange import Period
from bastion.services.search.tokens import Choice, Field, Search, choices, free_text

FIELDS: Final = {
    field.name: field
    for field in (
        *(RULE, CATEGORY, SEVERITY, Field("action", "what the rule asked for", tuple(Action))),
        *(DISPOSITION, Field("reviewer", 'who judged; reviewer:"" for nobody'), VIEW),
        *(STATUS, FLOW, SOURCE),
    )
}
_OWN: Final = (
    ("severity", RuleTrigger.severity, NOT_SET),
    ("action", RuleTrigger.action, ""),
    ("disposition", RuleTrigger.disposition, UNJUDGED),
    ("reviewer", RuleTrigger.reviewed_by, ""),
    ("view", RuleTrigger.view, ""),
)
_OF_EVENT: Final = (("status", Event.status), ("flow", Event.flow_name), ("source", Event.source))


def _select(session: Session, search: Search) -> Selection:
    asked = choices(search, FIELDS)
    rules = rules_named(session, search)
    checks = _rule_conditions(asked, chosen_ids(asked.get("rule"), rules))
    checks += [has for name, column, empty in _OWN for has in checked(column, asked.get(name, NOTHING), empty)]
    checks += [has_text(word, RuleTrigger.matched_text) for word in free_text(search)]
    of_event = [has for name, column in _OF_EVENT for has in checked(column, asked.get(name, NOTHING))]
    if of_event:
        checks.append(sa.exists().where(Event.id == RuleTrigger.event_id, *of_event).correlate(RuleTrigger))

    def where(driver: Driver, period: Period) -> Sequence[Condition]:
        return [*driver.conditions, *within(RuleTrigger.timestamp, period), *checks]

    # The action is in no index.
    drivers = (*rule_drivers(asked, rules), Driver("triggers", RuleTrigger.timestamp))
    return Selection(drivers, where, plain=False)


def _rule_conditions(asked: dict[str, Choice], ids: tuple[tuple[int, ...] | None, tuple[int, ...]]) -> list[Condition]:
    wanted, unwanted = ids
    # As an expression, so that an index is used only where a driver asks for it.
    rule = RuleTrigger.rule_id + 0
    found: list[Condition] = []
    if wanted is not None:
        found.append(rule.in_(wanted))
    if unwanted:
        found.append(rule.not_in(unwanted))
    if category := checked(Rule.category, asked.get("category", NOTHING)):
        found.append(rule.in_(sa.select(Rule.id).where(*category)))
    return found


TRIGGERS: Final = Listing(
    "trigger",
    FIELDS,
    RuleTrigger.timestamp,
    RuleTrigger.id,
    RuleTrigger.action,
    tuple(action.value for action in reversed(Action)),
    _select,
)
