"""A text that an expression matches, made from the expression."""

import re._constants as _re  # type: ignore[import-not-found]
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, ClassVar, Final

import regex

from bastion.engine.dialect import CATEGORIES, Expression, Node

ATTEMPTS: Final = 20
"""Texts that are tried; what an expression wants around it is left to luck."""

MAX_WRITTEN: Final = 200_000
"""Code points of a text, those of a part counted once for each part that it is within."""

SEARCH_SECONDS: Final = 0.05

_CANDIDATES: Final = "aZ5 _.-\n\t/<{\"'éя中\u200b🙂"
"""Characters of many kinds, for a set of which only the members that it lacks are known."""

_SAMPLES: Final = {
    _re.CATEGORY_DIGIT: "5",
    _re.CATEGORY_NOT_DIGIT: "a",
    _re.CATEGORY_SPACE: " ",
    _re.CATEGORY_NOT_SPACE: "a",
    _re.CATEGORY_WORD: "a",
    _re.CATEGORY_NOT_WORD: "-",
}


def witness(expression: Expression) -> str | None:
    """A text in which the expression is found, or ``None`` when none of the attempts is one."""
    for seed in range(ATTEMPTS):
        try:
            text = _Writer(Random(seed)).sequence(expression.nodes)  # noqa: S311 (the same attempts every time)
            if expression.compiled.search(text, timeout=SEARCH_SECONDS):
                return text
        except (TimeoutError, OverflowError):
            continue
    return None


class _Writer:
    """Writes one text; each choice that an expression leaves is the random source's."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left = MAX_WRITTEN
        self._groups: dict[int | None, str] = {}

    def sequence(self, nodes: Iterable[Node]) -> str:
        """Raises ``OverflowError`` beyond ``MAX_WRITTEN``."""
        written = "".join(self._node(name, argument) for name, argument in nodes)
        self._left -= len(written)
        if self._left < 0:
            raise OverflowError
        return written

    def _node(self, name: Any, argument: Any) -> str:
        write = self._nodes.get(name)
        return write(self, argument) if write else ""

    def _literal(self, point: int) -> str:
        return chr(point)

    def _not_literal(self, point: int) -> str:
        return self._outside([(_re.LITERAL, point)])

    def _any(self, _argument: Any) -> str:
        return self._random.choice("a 5")

    def _branch(self, argument: Any) -> str:
        return self.sequence(self._random.choice(argument[1]))

    def _group(self, argument: Any) -> str:
        group, _added, _removed, body = argument
        written = self._groups[group] = self.sequence(body)
        return written

    def _repeat(self, argument: Any) -> str:
        least, most, body = argument
        once_more = most > least and self._random.random() < 0.3
        return "".join(self.sequence(body) for _ in range(least + once_more))

    def _condition(self, argument: Any) -> str:
        group, yes, no = argument
        return self.sequence(yes if group in self._groups else no or ())

    def _repeated(self, group: int) -> str:
        return self._groups.get(group, "")

    def _member(self, members: list[Node]) -> str:
        if members[0][0] is _re.NEGATE:
            return self._outside(members[1:])
        name, argument = self._random.choice(members)
        if name is _re.LITERAL:
            return chr(argument)
        if name is _re.RANGE:
            return chr(self._random.randint(*argument))
        return _SAMPLES[argument]

    def _outside(self, members: list[Node]) -> str:
        """A character that is none of the members, if one of the candidates is."""
        outside = [one for one in _CANDIDATES if not any(_matches(member, one) for member in members)]
        return self._random.choice(outside) if outside else "\x7f"

    _nodes: ClassVar[dict[Any, Callable[[Any, Any], str]]] = {
        _re.LITERAL: _literal,
        _re.NOT_LITERAL: _not_literal,
        _re.ANY: _any,
        _re.IN: _member,
        _re.BRANCH: _branch,
        _re.SUBPATTERN: _group,
        _re.MAX_REPEAT: _repeat,
        _re.MIN_REPEAT: _repeat,
        _re.POSSESSIVE_REPEAT: _repeat,
        _re.ATOMIC_GROUP: sequence,
        _re.GROUPREF: _repeated,
        _re.GROUPREF_EXISTS: _condition,
    }
    """Whatever is not here writes nothing: what must stand around, and where."""


def _matches(member: Node, character: str) -> bool:
    name, argument = member
    if name is _re.LITERAL:
        return bool(ord(character) == argument)
    if name is _re.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    return regex.match(CATEGORIES[argument], character) is not None
