"""Rules whose pattern is a list of regular expressions, one a line.

The dialect is the ``regex`` module's version 0, less what Python's ``re`` refuses or reads differently, so
that a pattern means the same to every tool that an analyst might try it in.
"""

import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import regex

from bastion.engine.patterns import PatternError
from bastion.engine.rules import RuleSpec, pattern_lines
from bastion.engine.verdict import MAX_SPANS, Match, RuleFault, Span

MAX_MATCHED_TEXT: Final = 1000
"""Code points of the first match that are repeated in an answer and stored with a trigger."""

TIMEOUT_SECONDS: Final = 1.0
"""The longest that one expression may work on one text."""

_FLAGS: Final = regex.VERSION0
_FUZZY: Final = re.compile(r"(?<!\\)(?:\\\\)*(\{[0-9<=+,: ]*[eids][0-9eids<=+,: ]*(?::[^}]*)?\})")
_warning_filters = threading.Lock()


def pattern_faults(pattern: str) -> list[PatternError]:
    """What must be mended before a pattern can be saved: at most one fault a line."""
    lines = pattern_lines(pattern)
    if not lines:
        return [PatternError(1, 1, "wants at least one expression")]
    faults = []
    for number, line in lines:
        try:
            _check_line(number, line)
        except PatternError as fault:
            faults.append(fault)
    return faults


def _check_line(number: int, line: str) -> None:
    if (nul := line.find("\0")) >= 0:
        raise PatternError(number, nul + 1, "has a NUL character: write \\x00")
    compiled = _compile_line(number, line)
    _check_means_the_same_to_re(number, line)
    if compiled.search("") is not None:
        raise PatternError(number, 1, "matches the empty text, so it would match every prompt")


def _check_means_the_same_to_re(number: int, line: str) -> None:
    if fuzzy := _FUZZY.search(line):
        raise PatternError(number, fuzzy.start(1) + 1, "fuzzy matching is not in the dialect: write \\{ for a brace")
    with _warning_filters, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            re.compile(line)
        except re.error as error:
            raise PatternError(number, (error.pos or 0) + 1, f"Python's re says: {error.msg}") from None
        except (RecursionError, OverflowError):
            raise PatternError(number, 1, "is nested too deeply or repeats too much to be compiled") from None
    for warning in caught:
        if warning.category is FutureWarning:
            message = str(warning.message)
            position = re.search(r"at position (\d+)", message)
            column = int(position[1]) + 1 if position else 1
            raise PatternError(number, column, f"Python's re warns: {message}")


class RegexDetector:
    """Every expression of every rule, searched one after the other."""

    def __init__(self, rules: Iterable[RuleSpec], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._compiled: dict[RuleSpec, tuple[regex.Pattern[str], ...]] = {}
        rejected = []
        for rule in rules:
            try:
                self._compiled[rule] = _compile(rule.pattern)
            except PatternError as error:
                rejected.append(RuleFault(rule, str(error)))
        self.rejected = tuple(rejected)

    def scan(self, text: str) -> tuple[tuple[Match, ...], tuple[RuleFault, ...]]:
        """The rules that match, with their first ``MAX_SPANS`` spans, and those that ran out of time.

        A rule that ran out of time after it had matched has matched: its spans are those found so far.
        """
        matches, faults = [], []
        for rule, expressions in self._compiled.items():
            spans: set[Span] = set()
            fault = None
            for expression in expressions:
                try:
                    spans.update(islice(self._spans(expression, text), MAX_SPANS))
                except TimeoutError:
                    fault = RuleFault(rule, f"took longer than {self._timeout:g} s on a text of {len(text)} characters")
            if spans:
                first = sorted(spans)[:MAX_SPANS]
                start, end = first[0]
                matches.append(Match(rule, tuple(first), text[start : min(end, start + MAX_MATCHED_TEXT)]))
            elif fault:
                faults.append(fault)
        return tuple(matches), tuple(faults)

    def every_span(self, rule: RuleSpec, text: str) -> tuple[Span, ...] | None:
        """All spans of one rule, sorted; ``None`` when they could not all be found in time."""
        try:
            return tuple(sorted({span for one in self._compiled[rule] for span in self._spans(one, text)}))
        except TimeoutError:
            return None

    def _spans(self, expression: regex.Pattern[str], text: str) -> Iterator[Span]:
        for found in expression.finditer(text, timeout=self._timeout):
            yield found.span()


def _compile(pattern: str) -> tuple[regex.Pattern[str], ...]:
    return tuple(_compile_line(number, line) for number, line in pattern_lines(pattern))


def _compile_line(number: int, line: str) -> regex.Pattern[str]:
    """The one call that both validation and detection make."""
    try:
        return regex.compile(line, _FLAGS)
    except regex.error as error:
        raise PatternError(number, (getattr(error, "pos", None) or 0) + 1, getattr(error, "msg", str(error))) from None
    except ValueError as error:
        # Flags that contradict each other, and (?V1), which contradicts the dialect.
        raise PatternError(number, 1, str(error)) from None
    except (RecursionError, OverflowError, MemoryError):
        raise PatternError(number, 1, "is nested too deeply or repeats too much to be compiled") from None
