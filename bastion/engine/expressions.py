"""The regular expressions that a rule is looked for by, whatever language its pattern is in."""

from bastion.engine.nova import NOVA
from bastion.engine.nova.pattern import keyword_expressions, read_pattern
from bastion.engine.patterns import PatternError
from bastion.engine.rules import pattern_lines


def expressions_of(language: str, pattern: str) -> list[tuple[int, str]]:
    """The expressions of a pattern, with the lines that they stand in, from 1."""
    return keyword_expressions(pattern) if language == NOVA else pattern_lines(pattern)


def why_unrunnable(language: str, pattern: str) -> str | None:
    """Why a pattern without a fault can match nothing here, so that its rule can only be a draft."""
    if language != NOVA:
        return None
    try:
        return read_pattern(pattern).unrunnable
    except PatternError as fault:
        return str(fault)
