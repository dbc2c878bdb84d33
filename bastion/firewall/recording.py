"""From an analysed text to the rows that are kept of it: one event and its triggers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bastion.engine import Engine, Match, RuleSpec, Verdict
from bastion.firewall.flows import SENSITIVE
from bastion.firewall.storable import replaced_characters, storable
from bastion.settings import SavePrompt

MAX_REDACTIONS: Final = 4
"""How often a text is masked and judged again before it is masked whole."""

MASK: Final = "█"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event and its triggers, ready to be inserted."""

    event: dict[str, Any]
    triggers: list[dict[str, Any]] = field(default_factory=list)


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
