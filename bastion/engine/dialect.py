"""Which regular expressions a rule may be made of.

The dialect is the ``regex`` module's version 0, less what Python's ``re`` refuses or reads differently, so
that a pattern means the same to every tool that an analyst might try it in.
"""

import re
import re._compiler as _re_compiler  # type: ignore[import-not-found]
import re._constants as _re_constants  # type: ignore[import-not-found]
import re._parser as _re_parser  # type: ignore[import-not-found]
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import regex

from bastion.engine.patterns import PatternError
from bastion.engine.rules import pattern_lines

MAX_SIZE: Final = 100_000
"""Parts of one expression with its repeats written out: a million take seconds and gigabytes to compile."""

EMPTY_SECONDS: Final = 1.0
"""The longest that an expression may take to find nothing in the empty text."""

_FLAGS: Final = regex.VERSION0
_REPEATS: Final = {_re_constants.MAX_REPEAT, _re_constants.MIN_REPEAT, _re_constants.POSSESSIVE_REPEAT}
_FUZZY: Final = re.compile(r"(?<!\\)(?:\\\\)*(\{[0-9<=+,: ]{0,40}[eids][0-9eids<=+,: ]{0,40}(?::[^{}]{0,400})?\})")
_VERBOSE: Final = re.compile(r"\(\?[aiLmsu]*x")
_BLANK_READ_DIFFERENTLY: Final = re.compile(
    r"(?![ \t\n\r\v\f])\s|(?<!\\)(?:\\\\)*\{[^{}\s]{0,40}\s[^{}]{0,80}\}|(?<!\\)(?:\\\\)*\\\d+\s+\d"
)
_POSIX_CLASS: Final = re.compile(r"(?<!\\)(?:\\\\)*(\[:[^\[\]]*:\])")
_CONTRADICTIONS: Final = (
    {_re_constants.CATEGORY_DIGIT, _re_constants.CATEGORY_NOT_DIGIT},
    {_re_constants.CATEGORY_SPACE, _re_constants.CATEGORY_NOT_SPACE},
    {_re_constants.CATEGORY_WORD, _re_constants.CATEGORY_NOT_WORD},
)
_warning_filters = threading.Lock()

CATEGORIES: Final = {
    _re_constants.CATEGORY_DIGIT: r"\d",
    _re_constants.CATEGORY_NOT_DIGIT: r"\D",
    _re_constants.CATEGORY_SPACE: r"\s",
    _re_constants.CATEGORY_NOT_SPACE: r"\S",
    _re_constants.CATEGORY_WORD: r"\w",
    _re_constants.CATEGORY_NOT_WORD: r"\W",
}
"""The classes of characters as ``re`` parses them, and as they are written."""

Node = tuple[Any, Any]
"""One operation of an expression as ``re`` parses it, and its argument."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of the dialect: compiled to be searched for, and parsed to be translated."""

    compiled: regex.Pattern[str]
    nodes: tuple[Node, ...]
    flags: int


def pattern_faults(pattern: str) -> list[PatternError]:
    """What must be mended before a pattern can be saved or run: at most one fault a line."""
    lines = pattern_lines(pattern)
    if not lines:
        return [PatternError(1, 1, "wants at least one expression")]
    faults = []
    for number, line in lines:
        try:
            read_expression(line, number)
        except PatternError as fault:
            faults.append(fault)
    return faults


def compile_expression(line: str) -> regex.Pattern[str]:
    """An expression that ``read_expression`` has accepted, ready to be searched for."""
    return regex.compile(line, _FLAGS, cache_pattern=False)


def read_expression(line: str, number: int = 1) -> Expression:
    """The one call by which saving and detecting decide what an expression is.

    Raises:
        PatternError: for an expression that is not of the dialect, or too large to be compiled safely.
    """
    if (nul := line.find("\0")) >= 0:
        raise PatternError(number, nul + 1, "has a NUL character: write \\x00")
    if fuzzy := _FUZZY.search(line):
        raise PatternError(number, fuzzy.start(1) + 1, "fuzzy matching is not in the dialect: write \\{ for a brace")
    if _VERBOSE.search(line) and (blank := _BLANK_READ_DIFFERENTLY.search(line)):
        raise PatternError(number, blank.start() + 1, "in (?x), Python's re and the regex module differ on this blank")
    try:
        # Without counted repeats nothing can grow, and the module's own error names the place better than re's.
        compiled = compile_expression(line) if "{" not in line else None
        parsed = _parse_as_re(number, line)
        _refuse_posix_class(number, line)
        compiled = compiled or compile_expression(line)
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
    return Expression(compiled, tuple(parsed), int(parsed.state.flags))


def _refuse_posix_class(number: int, line: str) -> None:
    if posix := _POSIX_CLASS.search(line):
        raise PatternError(number, posix.start(1) + 1, f"{posix[1]} is a class to the regex module alone: write \\[")


def _refuse_contradiction(number: int, parsed: _re_parser.SubPattern) -> None:
    """A negated class of everything matches nothing to ``re``, and everything to the ``regex`` module."""
    for name, argument in parsed:
        if name is _re_constants.IN and argument[0][0] is _re_constants.NEGATE:
            members = {member for kind, member in argument if kind is _re_constants.CATEGORY}
            if any(members >= both for both in _CONTRADICTIONS):
                raise PatternError(number, 1, "has a negated class of everything, such as [^\\s\\S]")
        for nested in _nested(argument):
            _refuse_contradiction(number, nested)


def _nested(argument: object) -> Iterator[_re_parser.SubPattern]:
    if isinstance(argument, _re_parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _nested(part)


def _refuse_empty_match(number: int, compiled: regex.Pattern[str]) -> None:
    if compiled.search("", timeout=EMPTY_SECONDS) is not None:
        raise PatternError(number, 1, "matches the empty text, so it would match every prompt")


def _parse_as_re(number: int, line: str) -> _re_parser.SubPattern:
    """The expression as Python's ``re`` reads it, which must neither refuse it nor warn of it."""
    with _warning_filters, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            parsed = _re_parser.parse(line)
            if expanded_size(parsed) > MAX_SIZE:
                raise PatternError(number, 1, f"repeats too much: written out it has more than {MAX_SIZE} parts")
            _refuse_contradiction(number, parsed)
            _re_compiler.compile(parsed, 0)
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
    return sum(expanded_size(nested) for nested in _nested(argument))
