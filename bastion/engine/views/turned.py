"""Letters moved by half the alphabet, and words and texts from right to left."""

import codecs
from collections.abc import Collection, Iterator
from typing import Final

import regex

from bastion.engine.verdict import Span
from bastion.engine.views.revealed import Reading, Revealed, read_in_place, same_place
from bastion.engine.views.vocabulary import any_of, telling_forms

_WORD: Final = regex.compile(r"\w+(?:['’]\w+)*+", cache_pattern=False)


def rot13(text: str) -> Iterator[Revealed]:
    """The text with every ASCII letter thirteen places further in the alphabet."""
    turned = _rotated(text)
    if turned != text:
        yield Revealed(turned, same_place)


def backwards(text: str) -> Iterator[Revealed]:
    """The text from its end to its beginning, and the text with every word so in its place."""

    def origin(start: int, end: int) -> Span:
        return len(text) - end, len(text) - start

    yield Revealed(text[::-1], origin)
    yield from read_in_place(text, _WORD, lambda word: Reading(word[::-1]))


def _rotated(text: str) -> str:
    return codecs.encode(text, "rot13")


def _sign(forms: Collection[str]) -> str:
    return rf"(?i)\b{any_of(forms)}\b"


ROT13_SIGN: Final = _sign(telling_forms(lambda word: [_rotated(word)], but_for="bar bss fur hey jung"))

BACKWARDS_SIGN: Final = _sign(
    telling_forms(
        lambda word: [word[::-1]],
        but_for="deen dna dog drow ella emit eno era ipa live loot lru neve nod nur pots saw sloot ton tub wen won yam "
        "yas",
    )
)
