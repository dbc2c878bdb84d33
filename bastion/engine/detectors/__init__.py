"""The kinds of detector there are, and which of them runs the rules of a language.

A new one is a module beside this file with a class that fits ``Detector``, and a row in ``PIPELINES``.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from bastion.engine.layers import Compiler
from bastion.engine.nova import NOVA
from bastion.engine.patterns import PatternError
from bastion.engine.rules import DEFAULT_LANGUAGE, RuleSpec
from bastion.engine.tracing import Explained
from bastion.engine.verdict import Findings, RuleFault, Span


class Detector(Protocol):
    """Rules of one language, compiled. Instances do not change and may be shared by threads."""

    @property
    def rejected(self) -> tuple[RuleFault, ...]:
        """The rules that could not be compiled and do not run."""

    @property
    def runs_on(self) -> str:
        """What finds the matches: the name of a library, say."""

    @property
    def unproven(self) -> int:
        """How many expressions no self-test covers."""

    def scan(self, text: str, without: Collection[str] = ()) -> Findings:
        """The rules that match, and those that could not finish. Rules of the categories ``without`` are not asked."""

    def explain(self, text: str, without: Collection[str] = ()) -> Explained:
        """The same, and how it was come to."""

    def every_span(self, rule: RuleSpec, text: str) -> tuple[Span, ...] | None:
        """All spans of one rule, however many; ``None`` when they could not be found in time."""


@dataclass(frozen=True, slots=True)
class Language:
    """How patterns are written, as a rule's ``language`` names it."""

    name: str
    faults: Callable[[str], list[PatternError]]
    """What must be mended before a pattern can be saved."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A kind of detector as flows and answers name it."""

    id: str
    name: str
    description: str
    languages: tuple[Language, ...]
    build: Callable[[Iterable[RuleSpec], Compiler], Detector]


def _build_regex(rules: Iterable[RuleSpec], compiler: Compiler) -> Detector:
    from bastion.engine.detectors.nova_rules import NovaDetector
    from bastion.engine.detectors.regex_rules import RegexDetector

    given = tuple(rules)
    kind = NovaDetector if any(rule.language == NOVA for rule in given) else RegexDetector
    return kind(given, compiler)


def _regex_faults(pattern: str) -> list[PatternError]:
    from bastion.engine.dialect import pattern_faults

    return pattern_faults(pattern)


def _nova_faults(pattern: str) -> list[PatternError]:
    from bastion.engine.nova.pattern import nova_faults

    return nova_faults(pattern)


PIPELINES: Final = (
    Pipeline(
        id="rule",
        # AIDR Bastion's clients read this name in answers.
        name="Rule Pipeline",
        description="Regular expressions over the text, alone or as keywords of a condition.",
        languages=(Language(DEFAULT_LANGUAGE, _regex_faults), Language(NOVA, _nova_faults)),
        build=_build_regex,
    ),
)

LANGUAGES: Final = {language.name: language for pipeline in PIPELINES for language in pipeline.languages}
BY_LANGUAGE: Final = {language.name: pipeline for pipeline in PIPELINES for language in pipeline.languages}
BY_ID: Final = {pipeline.id: pipeline for pipeline in PIPELINES}
