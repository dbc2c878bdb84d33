"""A rule as a value: what to look for, what to do, how bad."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bastion.engine.exceptions import RuleException
from bastion.engine.validators import Validator

DEFAULT_LANGUAGE: Final = "llm-regex-pattern"


class Action(StrEnum):
    """What a flow does when the rule matches."""

    NOTIFY = "notify"
    BLOCK = "block"


class Severity(StrEnum):
    """How bad a match is, from least to worst."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Views(StrEnum):
    """In which forms of a text a rule is looked for."""

    ALL = "all"
    """The text as sent, and every normalised or decoded view of it."""
    RAW = "raw"
    """The text as sent alone: for patterns of the disguise itself, which the other views take off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """The whole content of a rule, without its life in a database.

    ``pattern`` holds one expression a line; the rule matches when any of them does. With a ``validator`` a match counts
    only if that accepts the text of the match, and with ``exceptions`` only what none of them covers.
    ``must_match`` and ``must_not_match`` are samples: texts that it is tried on whenever it is saved.
    ``id`` and ``version`` are the stored rule's, and ``None`` and 1 for one that is not stored.
    """

    uuid: str
    name: str
    details: str
    pattern: str
    action: Action
    language: str = DEFAULT_LANGUAGE
    views: Views = Views.ALL
    validator: Validator | None = None
    severity: Severity | None = None
    category: str | None = None
    cwe_id: str | None = None
    enabled: bool = True
    author: str | None = None
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    exceptions: tuple[RuleException, ...] = ()
    must_match: tuple[str, ...] = ()
    must_not_match: tuple[str, ...] = ()
    id: int | None = None
    version: int = 1


def pattern_lines(pattern: str) -> list[tuple[int, str]]:
    """The expressions of a pattern with their line numbers from 1; blank lines hold none.

    Only a line feed, with or without a carriage return before it, ends a line: other Unicode line
    separators are characters that an expression may look for.
    """
    lines = (line.removesuffix("\r") for line in pattern.split("\n"))
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
