"""What is wrong with a rule that is being written: quickly, with nothing stored."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import regex
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import RuleSpec
from bastion.engine.detectors import LANGUAGES
from bastion.engine.dialect import Expression, read_expression
from bastion.engine.expressions import expressions_of, why_unrunnable
from bastion.engine.nova import NOVA
from bastion.engine.patterns import PatternError
from bastion.engine.rules import DEFAULT_LANGUAGE
from bastion.engine.translation import translate
from bastion.engine.validation import field_faults
from bastion.models import Rule

CHECK_SECONDS: Final = 1.0
"""How long the processor may work on a check; what is not reached by then is checked when the rule is saved.

By the clock, a busy machine would leave out expressions that are checked in a millisecond.
"""

_OPEN_START: Final = re.compile(r"^(?:\(\?[a-z]+\))?\(?(?:\.|\[\\s\\S\])[*+]")
_OPEN_END: Final = re.compile(r"(?<!\\)(?:\.|\[\\s\\S\])[*+]\??\)?\$?$")
_CASE_CHOSEN: Final = re.compile(r"\(\?[a-z]*i")
_NOT_LETTERS: Final = re.compile(
    r"\\(?:[pPN]\{[^}]*\}|x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|U[\dA-Fa-f]{8}|.)"
    r"|\(\?(?:P?<\w+>|P=\w+|[a-z-]+[:)]|<?[=!])"
    r"|\[\^?\]?[^\]]*\]"
)
"""Escapes, the beginnings of groups, and classes: what is left of an expression is looked for letter by letter."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one field of a rule; ``line`` and ``column`` count from 1 in a pattern, 0 is all of it."""

    field: str
    message: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.column else f"line {self.line}: "
        return f"{place if self.line else ''}{self.message}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: faults keep the rule from being saved, warnings do not."""

    faults: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def check_draft(session: Session, spec: RuleSpec) -> Checked:
    """What keeps a rule from being saved, and what its author may not have meant.

    Whether an expression takes too long to compile is found out when the rule is saved.
    """
    faults = [Finding(fault.field, fault.message) for fault in field_faults(spec)]
    if {"pattern", "language"} & {fault.field for fault in faults}:
        return Checked(tuple(faults), ())
    language = LANGUAGES.get(spec.language)
    if language is None:
        wanted = f"is not one that runs here: {', '.join(LANGUAGES)}"
        return Checked((*faults, Finding("language", wanted)), ())
    if spec.language == NOVA and (wrong := language.faults(spec.pattern)):
        faults += [Finding("pattern", fault.reason, fault.line, fault.column) for fault in wrong]
        return Checked(tuple(faults), ())
    found: list[Finding] = [*_unrunnable(spec)]
    read: list[tuple[int, str]] = []
    ends = time.thread_time() + CHECK_SECONDS
    for number, line in expressions_of(spec.language, spec.pattern):
        if time.thread_time() > ends:
            found.append(Finding("pattern", "this line and those below are checked when the rule is saved", number))
            break
        try:
            expression = read_expression(line, number)
        except PatternError as fault:
            faults.append(Finding("pattern", fault.reason, fault.line, fault.column))
            continue
        read.append((number, line))
        found += [Finding("pattern", warning, number) for warning in _warnings(line, expression, spec.language)]
    found += _repeated(read)
    found += _duplicates(session, spec, read)
    return Checked(tuple(faults), tuple(sorted(found, key=lambda finding: finding.line)))


def expression_findings(spec: RuleSpec) -> list[Finding]:
    """What the author of a rule without a fault may not have meant by its expressions."""
    lines = expressions_of(spec.language, spec.pattern)
    found = [
        Finding("pattern", warning, number)
        for number, line in lines
        for warning in _warnings(line, read_expression(line, number), spec.language)
    ]
    return sorted([*_unrunnable(spec), *found, *_repeated(lines)], key=lambda finding: finding.line)


def _unrunnable(spec: RuleSpec) -> Iterator[Finding]:
    if reason := why_unrunnable(spec.language, spec.pattern):
        yield Finding("pattern", f"can only be a draft: {reason}")


def notes_on(line: str, language: str = DEFAULT_LANGUAGE) -> list[str]:
    """What a stored expression does not say of itself."""
    try:
        expression = read_expression(line)
    except PatternError as fault:
        return [f"is not run: column {fault.column}: {fault.reason}"]
    return [*_warnings(line, expression, language), *_habits(expression)]


def _warnings(line: str, expression: Expression, language: str) -> Iterator[str]:
    """What the author of an expression may not have meant. Nobody comes to tell case by accident in NOVA."""
    case_chosen = language == NOVA or _CASE_CHOSEN.search(line)
    if not case_chosen and any(letter.isalpha() for letter in _NOT_LETTERS.sub("", line)):
        yield "tells upper from lower case: write (?i) first unless that is meant"
    if _OPEN_START.match(line) or _OPEN_END.search(line):
        yield "begins or ends with an unlimited .*, which only makes matches longer and slower"
    if _matches_anything(expression):
        yield "cannot be prefiltered: it is looked for in every text, which slows all of detection"


def _habits(expression: Expression) -> Iterator[str]:
    if expression.flags & re.IGNORECASE:
        yield "ignores case"
    if not expression.flags & re.DOTALL and "." in expression.compiled.pattern:
        yield "a dot does not match a line feed"


def _matches_anything(expression: Expression) -> bool:
    """Whether what a prefilter would look for is in every text."""
    translated = translate(expression).expression
    return regex.compile(translated, cache_pattern=False).match("") is not None


def _repeated(lines: Sequence[tuple[int, str]]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, line in lines:
        if line in first:
            yield Finding("pattern", f"is the same as line {first[line]}", number)
        first.setdefault(line, number)


def _duplicates(session: Session, spec: RuleSpec, lines: Sequence[tuple[int, str]]) -> Iterator[Finding]:
    """Lines that another rule in use has, word for word."""
    wanted = {line: number for number, line in reversed(lines)}
    chosen = sa.select(Rule.id, Rule.name, Rule.language, Rule.pattern).order_by(Rule.id)
    others = chosen.where(Rule.archived_at.is_(None), Rule.uuid != spec.uuid)
    for rule_id, name, language, pattern in session.execute(others) if wanted else ():
        for _, line in expressions_of(language, pattern):
            if line in wanted:
                yield Finding("pattern", f"is a line of rule {rule_id} too, {name}", wanted.pop(line))
