"""What a scan found."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from bastion.engine.exceptions import RuleException
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


@dataclass(frozen=True, slots=True)
class Excepted:
    """A match that does not count, and the exception of its rule that says so."""

    match: Match
    exception: RuleException


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
    excepted: tuple[Excepted, ...] = ()

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
    def excepted(self) -> tuple[Excepted, ...]:
        return tuple(one for pipeline in self.pipelines for one in pipeline.excepted)

    @property
    def unexcepted(self) -> "Verdict":
        """What it would be if rules had no exceptions."""
        return Verdict(
            tuple(
                replace(one, matches=(*one.matches, *(excepted.match for excepted in one.excepted)), excepted=())
                for one in self.pipelines
            )
        )

    @property
    def unseen(self) -> tuple[str, ...]:
        """What was not looked at, pipeline by pipeline."""
        return tuple(pipeline.unseen for pipeline in self.pipelines if pipeline.unseen)
