"""Rules whose pattern is a list of regular expressions, one a line.

The dialect is the ``regex`` module's version 0, less what Python's ``re`` refuses or reads differently, so
that a pattern means the same to every tool that an analyst might try it in.
"""

import re
import re._constants as _re_constants  # type: ignore[import-not-found]
import re._parser as _re_parser  # type: ignore[import-not-found]
import threading
import time
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
"""The longest that one rule may work on one text."""

SCAN_SECONDS: Final = 5.0
"""The longest that all rules together may work on one text."""

MAX_SIZE: Final = 100_000
"""Parts of one expression with its repeats written out: a million take seconds and gigabytes to compile."""

_FLAGS: Final = regex.VERSION0
_REPEATS: Final = {_re_constants.MAX_REPEAT, _re_constants.MIN_REPEAT, _re_constants.POSSESSIVE_REPEAT}
_FUZZY: Final = re.compile(r"(?<!\\)(?:\\\\)*(\{[0-9<=+,: ]*[eids][0-9eids<=+,: ]*(?::[^}]*)?\})")
_warning_filters = threading.Lock()


def pattern_faults(pattern: str) -> list[PatternError]:
    """What must be mended before a pattern can be saved or run: at most one fault a line."""
    lines = pattern_lines(pattern)
    if not lines:
        return [PatternError(1, 1, "wants at least one expression")]
    faults = []
    for number, line in lines:
        try:
            _compile_line(number, line)
        except PatternError as fault:
            faults.append(fault)
    return faults


def _compile_line(number: int, line: str) -> regex.Pattern[str]:
    """The one call that both validation and detection make.

    Raises:
        PatternError: for an expression that is not of the dialect, or too large to be compiled safely.
    """
    if (nul := line.find("\0")) >= 0:
        raise PatternError(number, nul + 1, "has a NUL character: write \\x00")
    if fuzzy := _FUZZY.search(line):
        raise PatternError(number, fuzzy.start(1) + 1, "fuzzy matching is not in the dialect: write \\{ for a brace")
    try:
        # Without counted repeats nothing can grow, and the module's own error names the place better than re's.
        compiled = regex.compile(line, _FLAGS) if "{" not in line else None
        _refuse_too_large(number, _parse_as_re(number, line))
        compiled = compiled or regex.compile(line, _FLAGS)
        _refuse_empty_match(number, compiled)
    except PatternError:
        raise
    except regex.error as error:
        raise PatternError(number, (getattr(error, "pos", None) or 0) + 1, getattr(error, "msg", str(error))) from None
    except (RecursionError, OverflowError, MemoryError, TimeoutError):
        raise PatternError(number, 1, "is nested too deeply or repeats too much to be compiled") from None
    except ValueError as error:
        # Flags that contradict each other, and (?V1), which contradicts the dialect.
        raise PatternError(number, 1, str(error)) from None
    return compiled


def _refuse_too_large(number: int, parsed: _re_parser.SubPattern) -> None:
    if expanded_size(parsed) > MAX_SIZE:
        raise PatternError(number, 1, f"repeats too much: written out it has more than {MAX_SIZE} parts")


def _refuse_empty_match(number: int, compiled: regex.Pattern[str]) -> None:
    if compiled.search("", timeout=TIMEOUT_SECONDS) is not None:
        raise PatternError(number, 1, "matches the empty text, so it would match every prompt")


def _parse_as_re(number: int, line: str) -> _re_parser.SubPattern:
    """The expression as Python's ``re`` reads it, which must neither refuse it nor warn of it."""
    with _warning_filters, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            parsed = _re_parser.parse(line)
            re.compile(line)
        except re.error as error:
            raise PatternError(number, (error.pos or 0) + 1, f"Python's re says: {error.msg}") from None
    for warning in caught:
        if warning.category is FutureWarning:
            message = str(warning.message)
            position = re.search(r"at position (\d+)", message)
            raise PatternError(number, int(position[1]) + 1 if position else 1, f"Python's re warns: {message}")
    return parsed


def expanded_size(parsed: _re_parser.SubPattern) -> int:
    """How many parts an expression has when its counted repeats are written out, as compiling it does."""
    return sum(_part_size(argument) if name in _REPEATS else 1 + _nested_size(argument) for name, argument in parsed)


def _part_size(repeat: tuple[int, int, _re_parser.SubPattern]) -> int:
    least, most, body = repeat
    times = least if most is _re_constants.MAXREPEAT else most
    return max(1, int(times)) * (1 + expanded_size(body))


def _nested_size(argument: object) -> int:
    if isinstance(argument, _re_parser.SubPattern):
        return expanded_size(argument)
    if isinstance(argument, tuple | list):
        return sum(map(_nested_size, argument))
    return 0


class RegexDetector:
    """Every expression of every rule, searched one after the other."""

    def __init__(
        self,
        rules: Iterable[RuleSpec],
        timeout_seconds: float = TIMEOUT_SECONDS,
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        self._timeout = timeout_seconds
        self._scan_seconds = scan_seconds
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

        A rule that ran out of time after it had matched has matched: its spans are those found so far. Rules
        that are not reached within the time of one scan have run out of it too.
        """
        matches, faults = [], []
        deadline = time.monotonic() + self._scan_seconds
        for rule, expressions in self._compiled.items():
            spans, finished = self._first_spans(expressions, text, deadline)
            if spans:
                start, end = spans[0]
                matches.append(Match(rule, tuple(spans), text[start : min(end, start + MAX_MATCHED_TEXT)]))
            elif not finished:
                faults.append(RuleFault(rule, f"ran out of time on a text of {len(text)} characters"))
        return tuple(matches), tuple(faults)

    def _first_spans(
        self, expressions: tuple[regex.Pattern[str], ...], text: str, deadline: float
    ) -> tuple[list[Span], bool]:
        """The first spans of a rule, and whether all its lines finished: each may use its share of the rule's time."""
        spans: set[Span] = set()
        finished = True
        deadline = min(deadline, time.monotonic() + self._timeout)
        for done, expression in enumerate(expressions):
            now = time.monotonic()
            share = (deadline - now) / (len(expressions) - done)
            try:
                for found in islice(_found(expression, text, now + share), MAX_SPANS):
                    spans.add(found)
            except TimeoutError:
                finished = False
        return sorted(spans)[:MAX_SPANS], finished

    def every_span(self, rule: RuleSpec, text: str) -> tuple[Span, ...] | None:
        """All spans of one rule, sorted; ``None`` when they could not all be found in time."""
        deadline = time.monotonic() + self._timeout
        try:
            return tuple(sorted({span for one in self._compiled[rule] for span in _found(one, text, deadline)}))
        except TimeoutError:
            return None


def _found(expression: regex.Pattern[str], text: str, deadline: float) -> Iterator[Span]:
    """Raises ``TimeoutError`` at the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    for found in expression.finditer(text, timeout=left):
        yield found.span()


def _compile(pattern: str) -> tuple[regex.Pattern[str], ...]:
    compiled = tuple(_compile_line(number, line) for number, line in pattern_lines(pattern))
    if not compiled:
        raise PatternError(1, 1, "wants at least one expression")
    return compiled
