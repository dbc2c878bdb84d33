"""From an analysed text to stored rows: one event and its triggers, committed together."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bastion.engine import Engine, Match, RuleSpec, Verdict
from bastion.errors import NotRecorded
from bastion.firewall.storable import replaced_characters, storable
from bastion.models import Event, Rule, RuleTrigger
from bastion.settings import SavePrompt

SENSITIVE: Final = frozenset({"pii", "secret", "secrets"})
"""Categories whose matches ``DATABASE_SAVE_PROMPT=redacted`` masks."""

MAX_REDACTIONS: Final = 4
"""How often a text is masked and judged again before it is masked whole."""

MASK: Final = "█"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event and its triggers, ready to be inserted."""

    event: dict[str, Any]
    triggers: list[dict[str, Any]] = field(default_factory=list)


class Recorder:
    """Writes events. One call is one transaction; when it returns, the events are committed."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def record(self, records: Sequence[EventRecord]) -> list[int]:
        """Stores the events and returns their ids.

        A rule may be deleted between the scan and here. Its trigger has no row to belong to then and is left
        out; the event's ``pipeline_results`` still say that it matched.

        Raises:
            NotRecorded: when the database could not take them; then none is stored.
        """
        try:
            try:
                return self._insert(records)
            except IntegrityError:
                return self._insert(self._without_deleted_rules(records))
        except SQLAlchemyError as error:
            raise NotRecorded(f"the event could not be stored ({type(error).__name__})") from error

    def _insert(self, records: Sequence[EventRecord]) -> list[int]:
        with self._database.begin() as connection:
            ids = [_insert_event(connection, record) for record in records]
            triggers = [
                {**trigger, "event_id": event_id}
                for event_id, record in zip(ids, records, strict=True)
                for trigger in record.triggers
            ]
            if triggers:
                connection.execute(sa.insert(RuleTrigger), triggers)
        return ids

    def _without_deleted_rules(self, records: Sequence[EventRecord]) -> list[EventRecord]:
        with self._database.connect() as connection:
            stored = set(connection.scalars(sa.select(Rule.id)))
        return [
            EventRecord(record.event, [trigger for trigger in record.triggers if trigger["rule_id"] in stored])
            for record in records
        ]


def _insert_event(connection: sa.Connection, record: EventRecord) -> int:
    result = connection.execute(sa.insert(Event), record.event)
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def kept_text(engine: Engine, prompt: str, verdict: Verdict, save: SavePrompt) -> str | None:
    """What may be stored of a prompt under the setting ``DATABASE_SAVE_PROMPT``."""
    if save is SavePrompt.FALSE:
        return None
    text = storable(prompt)
    return _redacted(engine, prompt, text, verdict) if save is SavePrompt.REDACTED else text


def _redacted(engine: Engine, prompt: str, text: str, verdict: Verdict) -> str:
    """The text without what rules of sensitive categories find in it, masked whole where that cannot be told.

    A secret within disguises can come out of what was masked around it: so the result is judged again.
    """
    for _ in range(MAX_REDACTIONS):
        if verdict.unseen or any(_is_sensitive(fault.rule) for fault in verdict.faults):
            break
        masked = text
        for match in verdict.matches:
            if _is_sensitive(match.rule):
                masked = _masked(masked, engine.every_span(match.rule, prompt))
        if masked == text:
            return text
        prompt = text = masked
        verdict = engine.scan(text)
    return _masked(text, None)


def _is_sensitive(rule: RuleSpec) -> bool:
    return (rule.category or "").casefold() in SENSITIVE


def _masked(text: str, spans: Iterable[tuple[int, int]] | None) -> str:
    """The text with the spans masked, code point for code point; with no spans known, masked whole."""
    if spans is None:
        return MASK * len(text)
    pieces = []
    done = 0
    for start, end in spans:
        if end > done:
            pieces += [text[done:start], MASK * (end - max(start, done))]
            done = end
    return "".join([*pieces, text[done:]])


def trigger_rows(verdict: Verdict, kept: str | None, timestamp: datetime) -> list[dict[str, Any]]:
    """One row for each rule that matched and is stored; ``matched_text`` holds no more than may be kept."""
    return [
        {
            "rule_id": match.rule.id,
            "matched_text": kept_match(match, kept),
            "pipeline_name": pipeline.pipeline,
            "timestamp": timestamp,
            "rule_version": match.rule.version,
            "action": match.rule.action.value,
            "severity": match.rule.severity.value if match.rule.severity else None,
            "spans": [list(span) for span in match.spans],
            "view": match.view,
        }
        for pipeline in verdict.pipelines
        for match in pipeline.matches
        if match.rule.id is not None
    ]


def kept_match(match: Match, kept: str | None) -> str | None:
    """What may be stored of a match: the same place in the text that is kept."""
    if kept is None:
        return None
    start = match.spans[0][0] if match.spans else 0
    return kept[start : start + len(match.matched_text)]


def kept_revealed(match: Match, prompt: str, kept: str | None) -> str | None:
    """What may be stored of the text behind a disguise: nothing, once a part of the disguise is masked."""
    if match.revealed is None or kept is None:
        return None
    stretches = [(prompt[start:end], kept[start:end]) for start, end in match.spans]
    masked = any(here not in (sent, storable(sent)) for sent, here in stretches)
    return None if masked else storable(match.revealed)


def text_context(prompt: str, save: SavePrompt) -> dict[str, Any] | None:
    """What an event says of its text beyond the text: the length if it is not kept, what had to be replaced."""
    context: dict[str, Any] = {}
    if save is SavePrompt.FALSE:
        context["length"] = len(prompt)
    if replaced := replaced_characters(prompt):
        context["replaced"] = replaced
    return context or None


def prompt_hash(prompt: str) -> str:
    """SHA-256 of the text as sent, in UTF-8 with lone surrogates as they are."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
