"""What the API answers, as its description says it. ``docs/api.md`` says what the fields mean."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from bastion.engine import Status


class Answer(BaseModel):
    """An object that has these fields and no other."""

    model_config = ConfigDict(extra="forbid")


class FieldProblem(Answer):
    """One field that is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """Any error."""

    error: str
    detail: str
    request_id: str
    errors: list[FieldProblem] = []


class TriggeredRule(Answer):
    """A rule that matched."""

    id: str
    name: str
    details: str
    body: str
    action: str
    severity: str | None
    cwe_id: str | None
    matched_text: str | None
    spans: list[tuple[int, int]]
    view: str
    revealed_text: str | None


class RuleError(Answer):
    """A rule that could not finish, or what was not looked at."""

    id: str | None
    name: str | None
    reason: str


class PipelineResult(BaseModel):
    """What one pipeline found."""

    status: Status
    name: str
    triggered_rules: list[TriggeredRule]
    errors: list[RuleError] = []


class Verdict(Answer):
    """The answer to a text."""

    status: Status
    event_id: int | None
    event_uid: str
    spooled: bool = False
    pipelines: list[PipelineResult]


class ItemProblem(Answer):
    """Why an item of a batch was not judged."""

    error: str
    detail: str


class BatchVerdict(Answer):
    """The answers to the items of a batch, in their order."""

    judged: int
    failed: int
    results: list[Verdict | ItemProblem]


class Pipeline(Answer):
    """A pipeline of a flow."""

    id: str
    name: str
    enabled: bool
    description: str


class Flow(Answer):
    """A named policy."""

    flow_name: str
    mode: str
    on_error: str
    pipelines: list[Pipeline]


class FlowList(Answer):
    """The flows there are."""

    flows: list[Flow]


class RuleException(Answer):
    """What does not trigger a rule although it matches."""

    id: str
    kind: str
    value: str
    reason: str
    author: str | None
    created_at: str
    until: str | None


class Samples(Answer):
    """Texts that a rule is tried on whenever it is saved."""

    must_match: list[str]
    must_not_match: list[str]


class Rule(BaseModel):
    """A rule."""

    id: int
    uuid: str
    name: str
    details: str
    language: str
    pattern: str
    action: str
    severity: str | None
    category: str | None
    cwe_id: str | None
    enabled: bool
    created_at: str
    updated_at: str
    version: int
    author: str | None
    tags: list[str]
    references: list[str]
    false_positives: list[str]
    views: str
    validator: str | None
    exceptions: list[RuleException]
    samples: Samples


class SavedRule(Rule):
    """A rule as it was just written, and what its author should know."""

    warnings: list[str] = []


class RuleList(Answer):
    """Some rules, and how many there are."""

    total: int
    rules: list[Rule]


class Event(BaseModel):
    """An analysed text."""

    id: int
    uid: str
    task_id: str | None
    prompt: str | None
    status: str
    flow_name: str
    pipeline_results: Any
    timestamp: str
    source: str | None
    direction: str | None
    duration_us: int | None
    prompt_sha256: str | None
    context: Any


class Trigger(BaseModel):
    """A rule that matched in an event."""

    id: int
    rule_id: int
    rule_uuid: str
    rule_name: str
    rule_version: int | None
    action: str | None
    severity: str | None
    pipeline_name: str
    matched_text: str | None
    spans: Any
    view: str | None
    disposition: str | None
    timestamp: str


class TriggerInList(Trigger):
    """A trigger with the event that it is of."""

    event_id: int


class TriggerList(Answer):
    """Some triggers, and where the list goes on."""

    triggers: list[TriggerInList]
    next: str | None


class RuleVersion(BaseModel):
    """One version of a rule."""

    version: int
    at: str | None
    by: str | None
    comment: str | None
    content: Any


class RuleHistory(Answer):
    """The versions of a rule, the newest first."""

    id: int
    uuid: str
    versions: list[RuleVersion]


class EventWithTriggers(Event):
    """An event with what matched in it."""

    triggers: list[Trigger]


class EventList(Answer):
    """Some events, and how many there are."""

    total: int
    events: list[Event]


class EventStats(Answer):
    """Numbers of events."""

    total: int
    blocked: int
    notified: int
    allowed: int
    errors: int


class Document(BaseModel):
    """An OpenAPI document."""

    openapi: str
    paths: dict[str, Any]
