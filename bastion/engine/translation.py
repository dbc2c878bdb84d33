"""From an expression over text to one over projected bytes that never matches less.

If the expression matches a text, its translation matches the projection of that text: every set of characters
becomes the set of the bytes that stand for them, and what bytes cannot say (what stands around, what a group held)
is widened. ``exact`` says that nothing was: then it matches an ASCII text just when the expression does.
"""

import re
import re._constants as _re  # type: ignore[import-not-found]
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from bastion.engine.dialect import Expression, Node
from bastion.engine.images import CHARACTERS, image_of
from bastion.engine.projection import Alphabet


@dataclass(frozen=True, slots=True)
class Translation:
    """An expression that all prefilters read alike, in ASCII."""

    expression: str
    exact: bool
    beyond_ascii: bool
    """No ASCII text matches."""

    @property
    def alphabet(self) -> Alphabet:
        """Of the projection that it is over."""
        return Alphabet.SCRIPTS if self.beyond_ascii else Alphabet.WORDS


@dataclass(frozen=True, slots=True)
class Looseness:
    """How much further a translation is widened, for a matcher that does not take the closer one."""

    most_repeats: int = 30_000
    anchors: bool = True
    boundaries: bool = True


LOOSER: Final = (
    Looseness(),
    Looseness(anchors=False),
    Looseness(most_repeats=64),
    Looseness(most_repeats=8),
    Looseness(most_repeats=8, anchors=False),
    Looseness(most_repeats=2, anchors=False),
)
"""From the closest translation to the widest."""

_ANYTHING: Final = r"[\x00-\xfd]*"
_NOTHING: Final = r"[^\x00-\xff]"
_END: Final = r"\xff"
_ASCII_BYTES: Final = frozenset(range(128))
_AROUND: Final = {_re.ASSERT, _re.ASSERT_NOT}

_WIDENED: Final = {
    _re.POSSESSIVE_REPEAT,
    _re.ATOMIC_GROUP,
    _re.ASSERT,
    _re.ASSERT_NOT,
    _re.GROUPREF,
    _re.GROUPREF_EXISTS,
}
"""What matches less than its translation."""


def translate(expression: Expression, looseness: Looseness = LOOSER[0]) -> Translation:
    """The expression over projected bytes, as wide as ``looseness`` says and no narrower than the original.

    If it matches no ASCII text, the bytes are those of ``Alphabet.SCRIPTS``, else of ``Alphabet.WORDS``.
    """
    beyond_ascii = _beyond_ascii(expression.nodes, expression.flags)
    translator = _Translator(looseness, Alphabet.SCRIPTS if beyond_ascii else Alphabet.WORDS)
    translated = translator.sequence(expression.nodes, expression.flags, last=True)
    return Translation(translated or "(?:)", translator.exact, beyond_ascii)


def _beyond_ascii(nodes: Iterable[Node], flags: int) -> bool:
    return any(_node_beyond_ascii(name, argument, flags) for name, argument in nodes)


def _node_beyond_ascii(name: Any, argument: Any, flags: int) -> bool:
    if name in CHARACTERS:
        return not image_of(name, argument, flags).plain
    match name:
        case _re.BRANCH:
            return all(_beyond_ascii(branch, flags) for branch in argument[1])
        case _re.SUBPATTERN:
            _group, added, removed, body = argument
            return _beyond_ascii(body, (flags | added) & ~removed)
        case _re.MAX_REPEAT | _re.MIN_REPEAT | _re.POSSESSIVE_REPEAT:
            least, _most, body = argument
            return least > 0 and _beyond_ascii(body, flags)
    return False


class _Translator:
    """Walks one expression; ``exact`` turns false with the first thing that is widened."""

    def __init__(self, looseness: Looseness, alphabet: Alphabet) -> None:
        self.looseness = looseness
        self.alphabet = alphabet
        self.exact = True
        # Of a group within a reference nothing is known: references to references would double and double.
        self.groups: dict[int | None, tuple[Iterable[Node], int]] = {}

    def sequence(self, nodes: Iterable[Node], flags: int, last: bool = False) -> str:
        """The nodes one after the other; ``last`` says that nothing stands behind them."""
        nodes = tuple(nodes)
        # What is around has no translation, so that an end before it stays the end.
        behind = max((place for place, (name, _) in enumerate(nodes) if name not in _AROUND), default=-1)
        return "".join(self._node(*node, flags, last and place >= behind) for place, node in enumerate(nodes))

    def _node(self, name: Any, argument: Any, flags: int, last: bool) -> str:
        if name in CHARACTERS:
            image = image_of(name, argument, flags, self.alphabet)
            # An ASCII byte of the image may stand for a character that does not match, and for one beyond that does.
            self.exact = self.exact and image.every & _ASCII_BYTES == image.plain
            return _written(image.every)
        translate_node = self._nodes.get(name)
        if translate_node is None:
            # Whatever a later Python may parse into.
            self.exact = False
            return _ANYTHING
        if name in _WIDENED:
            self.exact = False
        return translate_node(self, argument, flags, last)

    def _branch(self, argument: Any, flags: int, last: bool) -> str:
        return "(?:" + "|".join(self.sequence(branch, flags, last) for branch in argument[1]) + ")"

    def _group(self, argument: Any, flags: int, last: bool) -> str:
        group, added, removed, body = argument
        flags = (flags | added) & ~removed
        self.groups[group] = (body, flags)
        return f"(?:{self.sequence(body, flags, last)})"

    def _atomic(self, argument: Any, flags: int, last: bool) -> str:
        return f"(?:{self.sequence(argument, flags, last)})"

    def _around(self, argument: Any, flags: int, _last: bool) -> str:
        # Walked for the groups in it, which may be referred to.
        self.sequence(argument[1], flags)
        return ""

    def _condition(self, argument: Any, flags: int, last: bool) -> str:
        _group, yes, no = argument
        return f"(?:{self.sequence(yes, flags, last)}|{self.sequence(no or (), flags, last)})"

    def _repeated(self, group: int, flags: int, _last: bool) -> str:
        """What a group held: any text that it may hold, wherever it stands now."""
        if group not in self.groups:
            return _ANYTHING
        body, flags_of_group = self.groups[group]
        alone = _Translator(replace(self.looseness, anchors=False, boundaries=False), self.alphabet)
        return f"(?:{alone.sequence(body, flags_of_group | flags & re.IGNORECASE)})"

    def _repeat(self, argument: Any, flags: int, _last: bool) -> str:
        least, most, body = argument
        translated = self.sequence(body, flags)
        if not translated or most == 0:
            return ""
        limit = self.looseness.most_repeats
        endless = most is _re.MAXREPEAT
        if least > limit or (most > limit and not endless):
            self.exact = False
            least, endless = min(least, limit), True
        if endless:
            times = {0: "*", 1: "+"}.get(least, f"{{{least},}}")
        else:
            times = {(0, 1): "?", (1, 1): ""}.get((least, most), f"{{{least},{most}}}")
        return f"(?:{translated}){times}"

    def _place(self, place: Any, flags: int, last: bool) -> str:
        boundary = {_re.AT_BOUNDARY: r"\b", _re.AT_NON_BOUNDARY: r"\B"}.get(place)
        if boundary and self.looseness.boundaries and self.alphabet is Alphabet.WORDS and not flags & re.ASCII:
            return boundary
        if boundary or not self.looseness.anchors or flags & re.MULTILINE:
            # Matchers differ on where a line begins after the last line feed; no boundary has an image in SCRIPTS, nor
            # has an ASCII one in WORDS.
            self.exact = False
            return ""
        if place in {_re.AT_BEGINNING, _re.AT_BEGINNING_STRING}:
            return r"\A"
        if not last:
            # The end may be before a last line feed, and what stands behind may want that, or the end again.
            self.exact = False
            return ""
        return _END if place is _re.AT_END_STRING else rf"(?:\n?{_END})"

    _nodes: ClassVar[dict[Any, Callable[[Any, Any, int, bool], str]]] = {
        _re.BRANCH: _branch,
        _re.SUBPATTERN: _group,
        _re.MAX_REPEAT: _repeat,
        _re.MIN_REPEAT: _repeat,
        _re.POSSESSIVE_REPEAT: _repeat,
        _re.AT: _place,
        _re.ATOMIC_GROUP: _atomic,
        _re.ASSERT: _around,
        _re.ASSERT_NOT: _around,
        _re.GROUPREF: _repeated,
        _re.GROUPREF_EXISTS: _condition,
    }


def _written(byte_set: frozenset[int]) -> str:
    if not byte_set:
        return _NOTHING
    if len(byte_set) == 1:
        return _byte(*byte_set)
    return f"[{_ranges(byte_set)}]"


def _ranges(byte_set: frozenset[int]) -> str:
    written = ""
    ordered = sorted(byte_set)
    while ordered:
        first = last = ordered.pop(0)
        while ordered and ordered[0] == last + 1:
            last = ordered.pop(0)
        written += _byte(first) if first == last else f"{_byte(first)}-{_byte(last)}"
    return written


def _byte(byte: int) -> str:
    character = chr(byte)
    return character if character.isascii() and character.isalnum() else f"\\x{byte:02x}"
