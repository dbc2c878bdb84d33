"""The texts that a rule keeps as evidence: those that it must match, and those that it must leave alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from bastion.compiler.trying import TryingCompiler
from bastion.engine import Action, Engine, RuleSpec
from bastion.engine.compilation import compile_expressions
from bastion.engine.expressions import why_unrunnable
from bastion.engine.layers import SIGNS, Compiler, Layer, load
from bastion.engine.prefilters.loop import PREFILTER
from bastion.engine.validation import MAX_SAMPLE_CHARACTERS, MAX_SAMPLES
from bastion.engine.verdict import Span
from bastion.errors import FieldFault, InvalidRule

SAMPLE_SECONDS: Final = 1.0
"""How long the processor may look for the rule in all samples together.

By the clock, a busy machine would leave out samples that are tried in a millisecond.
"""

SEPARATOR: Final = "---"
"""A line between samples of several lines in a box."""

SHOWN: Final = 60
"""Code points of a sample that a fault quotes."""

KINDS: Final = ("must_match", "must_not_match")


@dataclass(frozen=True, slots=True)
class TriedSample:
    """One text, and where a rule matches it. ``fault`` says why that is not known."""

    text: str
    spans: tuple[Span, ...] = ()
    view: str | None = None
    revealed: str | None = None
    fault: str | None = None

    @property
    def matched(self) -> bool:
        return self.view is not None


@dataclass(frozen=True, slots=True)
class KeptSample:
    """A sample of a rule, tried. ``kind`` is one of ``KINDS``, ``number`` its place among those, from 1."""

    kind: str
    number: int
    tried: TriedSample

    @property
    def passed(self) -> bool:
        return self.tried.fault is None and self.tried.matched == (self.kind == "must_match")

    @property
    def fault(self) -> str:
        """What is wrong with a sample that has not passed."""
        cut = "..." if len(self.tried.text) > SHOWN else ""
        text = f"{self.tried.text[:SHOWN]!r}{cut}"
        if self.tried.fault:
            return f"number {self.number} cannot be judged, {self.tried.fault}: {text}"
        if self.kind == "must_match":
            return f"number {self.number} is not matched: {text}"
        return f"number {self.number} is matched (view {self.tried.view}): {text}"


def split_samples(text: str) -> list[str]:
    """The texts of a box: one a line, or, where a line is ``---``, whatever stands between such lines."""
    lines = text.replace("\r\n", "\n").split("\n")
    if SEPARATOR not in [line.strip() for line in lines]:
        return [line for line in lines if line.strip()]
    samples: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == SEPARATOR:
            samples.append([])
        else:
            samples[-1].append(line)
    return [sample for parts in samples if (sample := "\n".join(parts)).strip()]


def join_samples(samples: Sequence[str]) -> str:
    """What a box shows of them."""
    if not any("\n" in sample for sample in samples):
        return "\n".join(samples)
    return f"\n{SEPARATOR}\n".join(samples) + f"\n{SEPARATOR}"


def try_samples(spec: RuleSpec, samples: Sequence[str], compiler: Compiler) -> list[TriedSample]:
    """Looks for a rule in texts just as detection does; its pattern must be of the dialect."""
    engine = Engine([replace(spec, enabled=True)], compiler)
    # What a process compiles when it looks for the first time takes no sample's time.
    engine.scan("")
    ends = time.thread_time() + SAMPLE_SECONDS
    left = MAX_SAMPLE_CHARACTERS
    tried = []
    for place, sample in enumerate(samples):
        left -= len(sample)
        if place >= MAX_SAMPLES or left < 0:
            limit = f"{MAX_SAMPLES} texts with {MAX_SAMPLE_CHARACTERS:,} characters in all"
            tried.append(TriedSample(sample, fault=f"not tried: at most {limit} are"))
            break
        if time.thread_time() > ends:
            tried.append(TriedSample(sample, fault="not tried: those above took too long"))
            continue
        tried.append(_tried(engine, sample))
    return tried


def try_kept(spec: RuleSpec, compiler: Compiler | None = None) -> list[KeptSample]:
    """Tries the samples of a rule, the kinds in the order of ``KINDS``; ``compiler`` if there is one already."""
    numbered = [
        (kind, number, text) for kind in KINDS for number, text in enumerate(getattr(spec, kind), start=1)
    ]  # fmt: skip
    if not numbered:
        return []
    tried = try_samples(spec, [text for _, _, text in numbered], compiler or _compiler().unfiltered)
    # Beyond the limits there is an end to trying.
    return [KeptSample(kind, number, one) for (kind, number, _), one in zip(numbered, tried, strict=False)]


def sample_faults(spec: RuleSpec) -> list[FieldFault]:
    """What speaks against enabling the rule: samples that it does not do right by, or that it can match nothing.

    Its fields and its pattern must be without fault.
    """
    if reason := why_unrunnable(spec.language, spec.pattern):
        return [FieldFault("pattern", reason)]
    return [FieldFault(f"samples.{one.kind}", one.fault) for one in try_kept(spec) if not one.passed]


def check_samples(spec: RuleSpec) -> None:
    """Accepts a rule that may run.

    Raises:
        InvalidRule: naming what speaks against enabling the rule, if it is enabled.
    """
    if spec.enabled and (faults := sample_faults(spec)):
        raise InvalidRule([*faults[:-1], replace(faults[-1], message=f"{faults[-1].message}; {DRAFT_WAY}")])


DRAFT_WAY: Final = "as a draft, which is a rule that is not enabled, it can be saved as it is"


def lacking_samples(spec: RuleSpec, before: RuleSpec | None = None) -> list[FieldFault]:
    """What a rule that blocks lacks of one sample of each kind; nothing if it blocked ``before``."""
    if not _blocks(spec) or (before is not None and _blocks(before)):
        return []
    return [
        FieldFault(f"samples.{kind}", "wants at least one text before the rule may block")
        for kind in KINDS
        if not getattr(spec, kind)
    ]


def _blocks(spec: RuleSpec) -> bool:
    return spec.enabled and spec.action is Action.BLOCK


@cache
def _compiler() -> TryingCompiler:
    """Answers what detection answers, without waiting for a prefilter to be compiled: 2 ms a text instead of 1."""
    return TryingCompiler(_signs)


@cache
def _signs() -> Layer:
    return load(compile_expressions(sorted(SIGNS), PREFILTER), PREFILTER)


def _tried(engine: Engine, sample: str) -> TriedSample:
    verdict = engine.scan(sample)
    for match in verdict.matches:
        return TriedSample(sample, match.spans, match.view, match.revealed)
    unfinished = [fault.reason for fault in (*engine.rejected, *verdict.faults)] or list(verdict.unseen)
    return TriedSample(sample, fault=unfinished[0] if unfinished else None)
