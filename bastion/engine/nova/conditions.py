"""A condition as a value: which of the things it names a text must have, and which it must not.

Negation stands at the names alone, and everything else is so many of its parts: "all of" is as many as there are, "any
of" is one, and not having two of five is lacking four of them.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Section(StrEnum):
    """Where a name is from."""

    KEYWORDS = "keywords"
    SEMANTICS = "semantics"
    LLM = "llm"


MODELS: Final = frozenset({Section.SEMANTICS, Section.LLM})
"""What nothing here runs."""


@dataclass(frozen=True, slots=True)
class Term:
    """That a text has what is named, or, if not ``present``, that it has not."""

    section: Section
    name: str
    present: bool = True

    def __str__(self) -> str:
        return f"{self.section}.${self.name}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """That so many of the parts are true."""

    count: int
    parts: tuple["Condition", ...]


Condition = Term | AtLeast


def all_of(*parts: Condition) -> Condition:
    return parts[0] if len(parts) == 1 else AtLeast(len(parts), parts)


def any_of(*parts: Condition) -> Condition:
    return parts[0] if len(parts) == 1 else AtLeast(1, parts)


def negated(condition: Condition) -> Condition:
    """The opposite: of five parts two are not true when four are false."""
    if isinstance(condition, Term):
        return replace(condition, present=not condition.present)
    return AtLeast(len(condition.parts) - condition.count + 1, tuple(map(negated, condition.parts)))


def decide(condition: Condition, found: Collection[str], unknown: Collection[str] = ()) -> bool | None:
    """Whether the keywords that a text has make the condition true; ``None`` when that hangs on the ``unknown`` ones.

    No text is held to have, or to lack, what a model would be asked for.
    """
    if isinstance(condition, Term):
        if condition.section in MODELS:
            return False
        return None if condition.name in unknown else (condition.name in found) == condition.present
    decided = [decide(part, found, unknown) for part in condition.parts]
    if decided.count(True) >= condition.count:
        return True
    return None if len(decided) - decided.count(False) >= condition.count else False


def shown_by(condition: Condition, found: Collection[str], unknown: Collection[str] = ()) -> frozenset[str]:
    """The keywords that a text has and that make the condition true; those that it lacks show nothing."""
    if not decide(condition, found, unknown):
        return frozenset()
    if isinstance(condition, Term):
        return frozenset({condition.name} if condition.present else ())
    return frozenset().union(*(shown_by(part, found, unknown) for part in condition.parts))


def models_asked(condition: Condition) -> list[str]:
    """What a model would be asked for, each once, in the order of the condition."""
    if isinstance(condition, Term):
        return [str(condition)] if condition.section in MODELS else []
    return list(dict.fromkeys(name for part in condition.parts for name in models_asked(part)))


def keywords_in(condition: Condition) -> frozenset[str]:
    """The keywords that the condition names."""
    if isinstance(condition, Term):
        return frozenset() if condition.section in MODELS else frozenset({condition.name})
    return frozenset().union(*map(keywords_in, condition.parts))


def needs_models(condition: Condition) -> bool:
    """Whether no keywords, present or absent, can make the condition true.

    A condition that contradicts itself, such as ``$a and not $a``, is taken for one that they can.
    """
    if isinstance(condition, Term):
        return condition.section in MODELS
    return sum(not needs_models(part) for part in condition.parts) < condition.count
