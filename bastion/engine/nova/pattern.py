"""A pattern of the language ``nova``: sections of keywords, of what models would be asked, and a condition."""

from dataclasses import dataclass

from bastion.engine.dialect import read_expression
from bastion.engine.nova.conditions import Condition, decide, keywords_in, models_asked, needs_models
from bastion.engine.nova.grammar import read_condition
from bastion.engine.nova.sections import Sections, read_sections
from bastion.engine.patterns import PatternError


@dataclass(frozen=True, slots=True)
class Conditional:
    """Keywords by name, each a regular expression, and what must be true of them."""

    keywords: dict[str, str]
    condition: Condition

    @property
    def asked(self) -> list[str]:
        """What the condition would ask a model for."""
        return models_asked(self.condition)

    @property
    def unrunnable(self) -> str | None:
        """Why the rule can never match here."""
        if not needs_models(self.condition):
            return None
        return f"needs {', '.join(self.asked)}, which nothing here runs: no keywords alone make its condition true"

    @property
    def unused(self) -> list[str]:
        """Keywords that the condition does not name."""
        return [name for name in self.keywords if name not in keywords_in(self.condition)]


def read_pattern(pattern: str) -> Conditional:
    """Raises ``PatternError`` with the first fault."""
    made, faults = read_conditional(read_sections(lines_of(pattern)))
    if made is None:
        raise faults[0]
    return made


def nova_faults(pattern: str) -> list[PatternError]:
    """What must be mended before a pattern can be saved or run, in the order of its lines."""
    return read_conditional(read_sections(lines_of(pattern)))[1]


def keyword_expressions(pattern: str) -> list[tuple[int, str]]:
    """The expressions of the keywords that can be read, with the lines that they stand in."""
    keywords = read_sections(lines_of(pattern)).keywords.values()
    return [(keyword.line, keyword.expression) for keyword in keywords]


def lines_of(pattern: str) -> list[str]:
    """Only a line feed, with or without a carriage return before it, ends a line."""
    return [line.removesuffix("\r") for line in pattern.split("\n")]


def read_conditional(sections: Sections) -> tuple[Conditional | None, list[PatternError]]:
    """The rule, or every fault of its sections, of its expressions and of its condition."""
    faults = [*sections.faults, *_expression_faults(sections)]
    condition = None
    if sections.condition or not faults:
        try:
            condition = read_condition(sections.condition, sections.names, sections.end)
        except PatternError as fault:
            # What a faulty line would have defined is missed for no reason of the condition's.
            faults += [] if faults else [fault]
    if condition is not None and decide(condition, ()):
        everything = "is true of a text that has none of the keywords: it would match nearly every prompt"
        line, column, text = sections.condition[0]
        faults.append(PatternError(line, column + len(text) - len(text.lstrip()), f"condition: {everything}"))
    if faults or condition is None:
        return None, sorted(faults, key=lambda fault: (fault.line, fault.column))
    expressions = {name: keyword.expression for name, keyword in sections.keywords.items()}
    return Conditional(expressions, condition), []


def _expression_faults(sections: Sections) -> list[PatternError]:
    faults = []
    for keyword in sections.keywords.values():
        try:
            read_expression(keyword.expression, keyword.line)
        except PatternError as fault:
            column = max(keyword.column, keyword.column + fault.column - 1 - keyword.shift)
            faults.append(PatternError(keyword.line, column, fault.reason))
    return faults
