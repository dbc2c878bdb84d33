"""Rules' exceptions applied to a verdict: a match that one of them covers is as if it had not been.

Whatever is not certain does not except: an expression that runs out of time, a place that is not known.
"""

import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from bastion.engine.compilation import compile_expressions
from bastion.engine.detectors.regex_rules import MAX_SCAN_SECONDS, SCAN_SECONDS, USUAL_LENGTH, RegexDetector
from bastion.engine.exceptions import SHA256, ExceptionKind, RuleException
from bastion.engine.layers import Layer, load
from bastion.engine.prefilters.loop import PREFILTER
from bastion.engine.rules import Action, RuleSpec, Views
from bastion.engine.verdict import Excepted, Match, PipelineVerdict, Span, Verdict


class Origin(NamedTuple):
    """Where a text comes from: the calling application, and the flow that judges it."""

    source: str | None
    flow: str


class Excepting:
    """Exceptions ready to be applied. Their expressions are compiled when they are first needed.

    ``every_span`` gives all places of a rule in a text, ``None`` when they are not known.
    """

    def __init__(self, every_span: Callable[[RuleSpec, str], tuple[Span, ...] | None]) -> None:
        self._every_span = every_span
        self._detectors: dict[str, RegexDetector] = {}

    def apply(self, verdict: Verdict, text: str, origin: Origin, at: datetime) -> Verdict:
        """The verdict without the matches that are excepted at that time, which it keeps as ``excepted``."""
        if not any(match.rule.exceptions for match in verdict.matches):
            return verdict
        stretch = max(1.0, len(text) / USUAL_LENGTH)
        ends = time.monotonic() + min(SCAN_SECONDS * stretch, MAX_SCAN_SECONDS)
        return Verdict(tuple(self._applied(one, text, origin, at, ends) for one in verdict.pipelines))

    def _applied(
        self, pipeline: PipelineVerdict, text: str, origin: Origin, at: datetime, ends: float
    ) -> PipelineVerdict:
        kept: list[Match] = []
        excepted: list[Excepted] = []
        for match in pipeline.matches:
            exception = self._first(match.rule, text, origin, at, ends)
            if exception is None:
                kept.append(match)
            else:
                excepted.append(Excepted(match, exception))
        return replace(pipeline, matches=tuple(kept), excepted=tuple(excepted)) if excepted else pipeline

    def _first(self, rule: RuleSpec, text: str, origin: Origin, at: datetime, ends: float) -> RuleException | None:
        """The exception that holds for the rule in this text, one that is quick to tell before any other."""
        holding = [one for one in rule.exceptions if one.holds(at)]
        for one in holding:
            if is_of(one, text, origin):
                return one
        expressions = [one for one in holding if one.kind is ExceptionKind.REGEX]
        spans = self._every_span(rule, text) if expressions and time.monotonic() < ends else None
        if not spans:
            return None
        for one in expressions:
            if time.monotonic() >= ends:
                return None
            if _lie_within(spans, self._found(one.value, text)):
                return one
        return None

    def _found(self, expression: str, text: str) -> Sequence[Span]:
        """What the expression matches in the text as sent; nothing if that cannot be told in time."""
        detector = self._detectors.get(expression)
        if detector is None:
            # Threads that meet here compile twice and keep either: the same.
            detector = self._detectors[expression] = RegexDetector([_as_rule(expression)], _unfiltered)
        return () if detector.rejected else detector.every_span(_as_rule(expression), text) or ()


def is_of(one: RuleException, text: str, origin: Origin) -> bool:
    """Whether an exception is about this very text, its source or its flow; one by an expression never is."""
    match one.kind:
        case ExceptionKind.SOURCE:
            return one.value == origin.source
        case ExceptionKind.FLOW:
            return one.value == origin.flow
        case ExceptionKind.TEXT:
            return one.value in (text, hash_of(text) if one.value.startswith(SHA256) else text)
    return False


def hash_of(text: str) -> str:
    """What stands for a text that is too long for an exception, or not kept."""
    return SHA256 + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _lie_within(spans: Iterable[Span], places: Sequence[Span]) -> bool:
    """Whether each of the spans lies in one of the places, which are in order and apart."""
    starts = [start for start, _ in places]
    return all((at := bisect_right(starts, start)) and end <= places[at - 1][1] for start, end in spans)


def _as_rule(expression: str) -> RuleSpec:
    return RuleSpec(
        uuid="exception", name="exception", details="", pattern=expression, action=Action.NOTIFY, views=Views.RAW
    )


def _unfiltered(sources: Collection[str]) -> Sequence[Layer]:
    """One expression is looked for in texts that a rule has matched: no prefilter is worth compiling."""
    return [load(compile_expressions(sorted(sources), PREFILTER), PREFILTER)]
