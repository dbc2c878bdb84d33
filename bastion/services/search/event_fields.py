"""What events can be searched by."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Severity, Status
from bastion.models import Event, Rule, RuleTrigger
from bastion.services.search.rule_tokens import RuleIds, chosen_ids, rules_named
from bastion.services.search.selection import Condition, Driver, Listing, Selection, checked, has_text, indexed, within
from bastion.services.search.timerange import Period
from bastion.services.search.tokens import Choice, Field, Search, choices, free_text

UNJUDGED: Final = "unjudged"
NOT_SET: Final = "none"
DISPOSITIONS: Final = ("true_positive", "benign_positive", "false_positive", "undetermined")
SEVERITIES: Final = tuple(severity.value for severity in Severity)

RULE: Final = Field("rule", 'a rule that matched, by its whole name, its uuid, or its id as #12: rule:"My rule"')
CATEGORY: Final = Field("category", "the category of a rule that matched")
SEVERITY: Final = Field(
    "severity", "how bad the match was; also >=, >, <, <=: severity:>=high", (NOT_SET, *SEVERITIES), ordered=True
)
VIEW: Final = Field("view", "the form of the text that showed the match, such as raw or base64")
DISPOSITION: Final = Field("disposition", "what an analyst made of a match", (*DISPOSITIONS, UNJUDGED))
STATUS: Final = Field("status", "the outcome", tuple(status.value for status in Status))
FLOW: Final = Field("flow", "the flow that judged the text")
SOURCE: Final = Field("source", 'the calling application; source:"" for none named')

WOULD: Final = Field(
    "would", "what a flow in monitor mode would have answered if it enforced, where that is more", (Status.BLOCK.value,)
)

FIELDS: Final = {
    field.name: field
    for field in (
        *(STATUS, FLOW, SOURCE, Field("direction", "into the model or out of it", ("input", "output"))),
        *(RULE, CATEGORY, SEVERITY, VIEW, DISPOSITION),
        *(Field("task", "the caller's task id"), Field("uid", "the event's uid"), WOULD),
    )
}
_COLUMNS: Final = {
    "status": Event.status,
    "flow": Event.flow_name,
    "source": Event.source,
    "direction": Event.direction,
    "task": Event.task_id,
    "uid": Event.uid,
}
NOTHING: Final = Choice()


def _select(session: Session, search: Search) -> Selection:
    asked = choices(search, FIELDS)
    rules = rules_named(session, search)
    own = [condition for name, column in _COLUMNS.items() for condition in checked(column, asked.get(name, NOTHING))]
    own += [has_text(word, Event.prompt, exact=(Event.uid, Event.task_id)) for word in free_text(search)]
    own += [~_triggered([condition]) for condition in _unwanted(asked, rules)]
    own += _would_be(session, asked.get("would", NOTHING))
    wanted = trigger_conditions(asked, rules)

    def where(driver: Driver, period: Period) -> Sequence[Condition]:
        inside = list(within(Event.timestamp, period))
        if driver.moment is RuleTrigger.timestamp:
            # A trigger has its event's time: they are recorded together.
            there = (*driver.conditions, *wanted, *within(RuleTrigger.timestamp, period))
            return [*inside, Event.id.in_(sa.select(RuleTrigger.event_id).where(*there)), *own]
        return [*driver.conditions, *inside, *([_triggered(wanted)] if wanted else []), *own]

    by_trigger = [*rule_drivers(asked, rules), Driver("triggers", RuleTrigger.timestamp)] if wanted else []
    drivers = [
        *(driver for name in ("uid", "task") for driver in _lookup(name, asked.get(name))),
        *by_trigger,
        *(
            driver
            for name in ("status", "flow", "source")
            for driver in indexed("events", Event.timestamp, _COLUMNS[name], asked.get(name))
        ),
    ]
    plain = all(token.field == "status" and not token.negated for token in search)
    every = Driver("events", Event.timestamp)
    return Selection((*drivers, every), where, plain)


def _would_be(session: Session, choice: Choice) -> list[Condition]:
    """Of the results, which no index knows: a look at each row."""
    if session.get_bind().dialect.name == "postgresql":
        found: Condition = sa.literal_column("pipeline_results ->> 'would_be'", sa.Text()) == Status.BLOCK.value
    else:
        # What other programs stored need not be JSON, and json_extract() would fail on it. A quote within a text of the
        # results has a backslash before it, so that no text can look like this.
        results = sa.type_coerce(Event.pipeline_results, sa.Text())
        found = sa.or_(*(results.contains(f'"would_be":{blank}"block"', autoescape=True) for blank in ("", " ")))
    found = sa.func.coalesce(found, sa.false())
    wanted: list[Condition] = [found] if choice.any_of is not None else []
    return [*wanted, sa.not_(found)] if choice.none_of else wanted


def _lookup(name: str, choice: Choice | None) -> list[Driver]:
    """By an index that knows no time."""
    if choice is None or not choice.any_of or "" in choice.any_of:
        return []
    return [Driver("events", Event.timestamp, (_COLUMNS[name].in_(choice.any_of),), ordered=False)]


def _triggered(conditions: Sequence[Condition]) -> Condition:
    return sa.exists().where(RuleTrigger.event_id == Event.id, *conditions).correlate(Event)


def trigger_conditions(asked: dict[str, Choice], rules: RuleIds) -> list[Condition]:
    """What one trigger must be; what it must not be is left out."""
    found: list[Condition] = []
    wanted, _ = chosen_ids(asked.get("rule"), rules)
    if wanted is not None:
        # As an expression, so that an index is used only where a driver asks for it.
        found.append((RuleTrigger.rule_id + 0).in_(wanted))
    if (category := asked.get("category", NOTHING)).any_of is not None:
        found.append((RuleTrigger.rule_id + 0).in_(_of_category(category.any_of)))
    for column, choice, empty in _trigger_columns(asked):
        found += checked(column, Choice(choice.any_of), empty)
    return found


def _unwanted(asked: dict[str, Choice], rules: RuleIds) -> list[Condition]:
    found: list[Condition] = []
    _, ids = chosen_ids(asked.get("rule"), rules)
    if ids:
        found.append((RuleTrigger.rule_id + 0).in_(ids))
    if values := asked.get("category", NOTHING).none_of:
        found.append((RuleTrigger.rule_id + 0).in_(_of_category(values)))
    for column, choice, empty in _trigger_columns(asked):
        if choice.none_of:
            found += checked(column, Choice(choice.none_of), empty)
    return found


def _trigger_columns(asked: dict[str, Choice]) -> list[tuple[sa.ColumnElement[str | None], Choice, str]]:
    columns = (
        ("severity", RuleTrigger.severity, NOT_SET),
        ("view", RuleTrigger.view, ""),
        ("disposition", RuleTrigger.disposition, UNJUDGED),
    )
    return [(column, asked[name], empty) for name, column, empty in columns if name in asked]  # type: ignore[misc]


def rule_drivers(asked: dict[str, Choice], rules: RuleIds) -> list[Driver]:
    """The drivers of a choice of rules or of their categories."""
    wanted, _ = chosen_ids(asked.get("rule"), rules)
    if wanted is not None and len(wanted) == 1:
        return [Driver("triggers", RuleTrigger.timestamp, (RuleTrigger.rule_id == wanted[0],))]
    if wanted is not None:
        return [Driver("triggers", RuleTrigger.timestamp, (RuleTrigger.rule_id.in_(wanted),), ordered=False)]
    if values := asked.get("category", NOTHING).any_of:
        of_category = RuleTrigger.rule_id.in_(_of_category(values))
        return [Driver("triggers", RuleTrigger.timestamp, (of_category,), ordered=False)]
    return []


def _of_category(values: Sequence[str]) -> sa.Select[int]:
    return sa.select(Rule.id).where(sa.func.coalesce(Rule.category, "").in_(values))


EVENTS: Final = Listing(
    "event",
    FIELDS,
    Event.timestamp,
    Event.id,
    Event.status,
    (Status.BLOCK.value, Status.ERROR.value, Status.NOTIFY.value, Status.ALLOW.value),
    _select,
)
