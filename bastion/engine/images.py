"""Which bytes of a projection stand for the characters that a part of an expression matches."""

import re
import re._constants as _re  # type: ignore[import-not-found]
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

import regex

from bastion.engine.dialect import CATEGORIES
from bastion.engine.projection import ASCII, Alphabet, classes, table

CHARACTERS: Final = {_re.LITERAL, _re.NOT_LITERAL, _re.ANY, _re.IN}
"""The nodes that match one character."""


class Image(NamedTuple):
    """The bytes that stand for the characters that match, and those of the ASCII characters among them."""

    every: frozenset[int]
    plain: frozenset[int]


def image_of(name: Any, argument: Any, flags: int, alphabet: Alphabet = Alphabet.WORDS) -> Image:
    """The image of a node that matches one character."""
    match name:
        case _re.LITERAL:
            return _image_of_range(argument, argument, bool(flags & re.IGNORECASE), alphabet)
        case _re.RANGE:
            return _image_of_range(argument[0], argument[1], bool(flags & re.IGNORECASE), alphabet)
        case _re.CATEGORY:
            return _image_of_set(CATEGORIES[argument], flags & re.ASCII, alphabet)
        case _re.ANY:
            return _image_of_set(".", flags & re.DOTALL, alphabet)
        case _re.IN if argument[0][0] is not _re.NEGATE:
            return _united(image_of(one, value, flags, alphabet) for one, value in argument)
    negated = [(_re.LITERAL, argument)] if name is _re.NOT_LITERAL else argument[1:]
    characters = f"[^{''.join(_member(*member) for member in negated)}]"
    return _image_of_set(characters, flags & (re.IGNORECASE | re.ASCII), alphabet)


def _united(images: Iterable[Image]) -> Image:
    images = tuple(images)
    every, plain = (frozenset().union(*parts) for parts in zip(*images, strict=True))
    return Image(every, plain)


def _flags(flags: int) -> int:
    """Those of the flags that change what a single character matches, as the ``regex`` module numbers them."""
    chosen = regex.VERSION0
    for of_re, of_regex in ((re.IGNORECASE, regex.IGNORECASE), (re.ASCII, regex.ASCII), (re.DOTALL, regex.DOTALL)):
        if flags & of_re:
            chosen |= of_regex
    return chosen


@cache
def _image_of_range(first: int, last: int, ignore_case: bool, alphabet: Alphabet) -> Image:
    every, plain = set(table(alphabet)[first : last + 1]), set(range(first, min(last, 127) + 1))
    if ignore_case:
        for character in cased():
            if first <= ord(character) <= last:
                alike = [ord(other) for other in _variants(character)]
                every.update(table(alphabet)[other] for other in alike)
                plain.update(other for other in alike if other < 128)
    return Image(frozenset(every), frozenset(plain))


@cache
def cased() -> str:
    """The characters that have another form in upper, lower, title or folded case."""
    return "".join(regex.findall(r"[\p{CWCM}\p{CWCF}]", "".join(map(chr, range(0x110000)))))


@cache
def _variants(character: str) -> list[str]:
    """What case-insensitive matching takes for that character, itself among it."""
    return regex.findall(f"[{_code(ord(character))}]", cased(), regex.VERSION0 | regex.IGNORECASE)


@cache
def _image_of_set(characters: str, flags: int, alphabet: Alphabet) -> Image:
    """The image of an expression for one character, by asking the module of every character there is."""
    if flags & re.ASCII:
        # Within (?a:...) the module still equates letters beyond ASCII, at the start of an expression it does not.
        both = (flags, flags & ~re.ASCII)
        return _united(_image_asked(characters, _flags(either), alphabet) for either in both)
    return _image_asked(characters, _flags(flags), alphabet)


def _image_asked(characters: str, flags: int, alphabet: Alphabet) -> Image:
    matching = regex.compile(characters, flags, cache_pattern=False)
    plain = frozenset(ord(character) for character in matching.findall(ASCII))
    beyond = {byte for byte, members in classes(alphabet).items() if byte not in plain and matching.search(members)}
    return Image(plain | beyond, plain)


def _member(name: Any, argument: Any) -> str:
    if name is _re.LITERAL:
        return _code(argument)
    if name is _re.RANGE:
        return f"{_code(argument[0])}-{_code(argument[1])}"
    return CATEGORIES[argument]


def _code(point: int) -> str:
    return f"\\U{point:08x}"
