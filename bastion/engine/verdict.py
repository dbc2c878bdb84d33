"""What a scan found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from bastion.engine.rules import Action, RuleSpec

Span = tuple[int, int]
"""Start and end in code points of the original text, end exclusive."""

MAX_SPANS: Final = 20
"""Spans reported for one rule in one text."""

RAW_VIEW: Final = "raw"
"""The text as it was sent, as opposed to a normalised or decoded form of it."""


class Status(StrEnum):
    """The outcome for one text, or of one pipeline."""

    ALLOW = "allow"
    NOTIFY = "notify"
    BLOCK = "block"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that matched: its first spans in order, and the text of the first, both as sent.

    ``view`` names the form of the text that shows the match, ``revealed`` is what the first says in it, if it is not
    the text as sent. Without spans the rule has matched, but there was no time to find out where.
    """

    rule: RuleSpec
    spans: tuple[Span, ...]
    matched_text: str
    view: str = RAW_VIEW
    revealed: str | None = None


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that could not be compiled, or could not finish on a text, and why."""

    rule: RuleSpec
    reason: str


class Findings(NamedTuple):
    """What a detector found in a text: the rules that match, and those that could not finish.

    ``unseen`` says what of the text no rule was looked for in, if there was too much of it.
    """

    matches: tuple[Match, ...] = ()
    faults: tuple[RuleFault, ...] = ()
    unseen: str | None = None


@dataclass(frozen=True, slots=True)
class PipelineVerdict:
    """What one pipeline says of a text."""

    pipeline: str
    matches: tuple[Match, ...] = ()
    faults: tuple[RuleFault, ...] = ()
    unseen: str | None = None

    @property
    def status(self) -> Status:
        """The worst that happened: a block cannot be undone by a fault elsewhere, a fault outranks a notice."""
        if any(match.rule.action is Action.BLOCK for match in self.matches):
            return Status.BLOCK
        if self.faults or self.unseen:
            return Status.ERROR
        return Status.NOTIFY if self.matches else Status.ALLOW


@dataclass(frozen=True, slots=True)
class Verdict:
    """What every pipeline that ran says of a text."""

    pipelines: tuple[PipelineVerdict, ...]

    @property
    def matches(self) -> tuple[Match, ...]:
        return tuple(match for pipeline in self.pipelines for match in pipeline.matches)

    @property
    def faults(self) -> tuple[RuleFault, ...]:
        return tuple(fault for pipeline in self.pipelines for fault in pipeline.faults)

    @property
    def unseen(self) -> tuple[str, ...]:
        """What was not looked at, pipeline by pipeline."""
        return tuple(pipeline.unseen for pipeline in self.pipelines if pipeline.unseen)
