"""Any text as one byte a code point, so that a byte matcher's offsets are offsets into the text.

ASCII is itself. There are two alphabets for the rest:

In ``WORDS`` a digit is its value, a character that case-insensitive matching equates with an ASCII letter is that
letter, any other word character is one of twenty letters, and white space and what is left, lone surrogates too, are
bytes beyond ASCII. The classes are the confirming module's own, so that word boundaries stay where they are: to a byte
matcher, no byte beyond ASCII is of a word.

In ``SCRIPTS`` those few letters are the same, and all else is bytes beyond ASCII, other ones for each script. Word
boundaries are lost, but what is looked for in one script is seldom found in another, nor in ASCII: it is for
expressions that match no ASCII text.
"""

import unicodedata
from enum import Enum
from functools import cache, cached_property
from string import ascii_lowercase
from typing import TYPE_CHECKING, Final

import regex

if TYPE_CHECKING:
    import numpy as np

ASCII: Final = "".join(map(chr, range(128)))

_WORDS: Final = b"GHIJKLMNOPQRSTUVWXYZ"
"""Not the letters of hexadecimal digits: a hash is looked for in many rules and seldom in another script."""

_BLANK: Final = b"\x80"
_OTHERS: Final = bytes(range(0x81, 0xFE))
"""As of the letters, which of them it is says the code point modulo their number."""

_SCRIPTS: Final = (
    (r"\s", 1),
    (r"\d", 1),
    (r"\p{M}", 4),
    (r"\p{Cf}", 3),
    (r"\p{Latin}", 10),
    (r"\p{Cyrillic}", 16),
    (r"\p{Greek}", 5),
    (r"\p{Han}", 22),
    (r"\p{Hiragana}", 6),
    (r"\p{Katakana}", 6),
    (r"\p{Hangul}", 12),
    (r"\p{Arabic}", 8),
    (r"\p{Hebrew}", 4),
    (r"\p{Thai}", 4),
    (r"\p{L}", 10),
    (r"\p{P}", 6),
    (r"\p{S}", 5),
    (r"(?s:.)", 3),
)
"""How many bytes stand for what: a character is of the first kind that it is of."""

END: Final = b"\xff\xff"
"""Closes every projection: no text has this byte, and the end of a text is found by it. Vectorscan 5.4.12 overlooks
matches that end with the last byte (VectorCamp/vectorscan issue 358), so the last is one that no match needs."""

_CODE_POINTS: Final = 0x110000


class Alphabet(Enum):
    """What bytes stand for the characters beyond ASCII."""

    WORDS = "words"
    SCRIPTS = "scripts"


class Projected:
    """A text in both alphabets, each written when it is first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.is_ascii = text.isascii()

    @cached_property
    def words(self) -> bytes:
        return project(self._text)

    @cached_property
    def scripts(self) -> bytes:
        return self.words if self.is_ascii else project(self._text, Alphabet.SCRIPTS)


def project(text: str, alphabet: Alphabet = Alphabet.WORDS) -> bytes:
    """The text as one byte a code point, and ``END``."""
    if text.isascii():
        return text.encode("ascii") + END
    import numpy as np

    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return _lookup(alphabet)[points].tobytes() + END


@cache
def table(alphabet: Alphabet = Alphabet.WORDS) -> bytes:
    """The byte of every code point, by code point."""
    everything = "".join(map(chr, range(_CODE_POINTS)))
    found = _words(everything) if alphabet is Alphabet.WORDS else _scripts(everything)
    for character, letter in _letters(everything).items():
        found[ord(character)] = ord(letter)
    found[:128] = ASCII.encode("ascii")
    return bytes(found)


def _words(everything: str) -> bytearray:
    found = bytearray((_OTHERS * (_CODE_POINTS // len(_OTHERS) + 1))[:_CODE_POINTS])
    words = _WORDS * (_CODE_POINTS // len(_WORDS) + 1)
    for run in regex.finditer(r"\w+", everything):
        found[run.start() : run.end()] = words[run.start() : run.end()]
    for run in regex.finditer(r"\s+", everything):
        found[run.start() : run.end()] = _BLANK * len(run[0])
    for digit in regex.finditer(r"\d", everything):
        # The module may know newer digits than Python does.
        found[digit.start()] = ord("0") + unicodedata.decimal(digit[0], 0)
    return found


def _scripts(everything: str) -> bytearray:
    found = bytearray(_CODE_POINTS)
    last = ord(_BLANK) + sum(count for _, count in _SCRIPTS)
    # The last word is that of the first kind.
    for kind, count in reversed(_SCRIPTS):
        last -= count
        own = bytes(range(last, last + count)) * (_CODE_POINTS // count + 1)
        for run in regex.finditer(f"{kind}+", everything):
            found[run.start() : run.end()] = own[run.start() : run.end()]
    return found


def _letters(everything: str) -> dict[str, str]:
    """What case-insensitive matching equates with an ASCII letter: K (Kelvin sign), long s, dotted and dotless i."""
    alike = "".join(set(regex.findall("[a-zA-Z]", everything[128:], regex.I)))
    return {
        character: letter
        for letter in ascii_lowercase
        for character in regex.findall(f"[{letter}{letter.upper()}]", alike, regex.I)
    }


@cache
def classes(alphabet: Alphabet = Alphabet.WORDS) -> dict[int, str]:
    """The non-ASCII code points by the byte that stands for them."""
    import numpy as np

    beyond = np.frombuffer(table(alphabet), np.uint8)[128:]
    order = np.argsort(beyond, kind="stable")
    starts = np.flatnonzero(np.diff(beyond[order], prepend=beyond[order[0]] + 1))
    return {
        int(beyond[group[0]]): (group + 128).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        for group in np.split(order, starts[1:])
    }


def make_tables() -> None:
    """Makes now, in most of a second, what the first texts would wait for; processes that are forked then share it."""
    for alphabet in Alphabet:
        _lookup(alphabet)


@cache
def _lookup(alphabet: Alphabet) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    import numpy as np

    return np.frombuffer(table(alphabet), np.uint8)
