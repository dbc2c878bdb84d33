"""Any text as one byte a code point, so that a byte matcher's offsets are offsets into the text.

ASCII is itself. Of the rest, a digit is its value, a character that case-insensitive matching equates with an ASCII
letter is that letter, any other word character is one of twenty letters, and white space and what is left, lone
surrogates too, are bytes beyond ASCII. The classes are the confirming module's own, so that word boundaries stay
where they are: to a byte matcher, no byte beyond ASCII is of a word.
"""

import unicodedata
from functools import cache
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

END: Final = b"\xff\xff"
"""Closes every projection: no text has this byte, and the end of a text is found by it. Vectorscan 5.4.12 overlooks
matches that end with the last byte (VectorCamp/vectorscan issue 358), so the last is one that no match needs."""

_CODE_POINTS: Final = 0x110000


def project(text: str) -> bytes:
    """The text as one byte a code point, and ``END``."""
    if text.isascii():
        return text.encode("ascii") + END
    import numpy as np

    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return _lookup()[points].tobytes() + END


@cache
def table() -> bytes:
    """The byte of every code point, by code point."""
    found = bytearray((_OTHERS * (_CODE_POINTS // len(_OTHERS) + 1))[:_CODE_POINTS])
    words = _WORDS * (_CODE_POINTS // len(_WORDS) + 1)
    everything = "".join(map(chr, range(_CODE_POINTS)))
    for run in regex.finditer(r"\w+", everything):
        found[run.start() : run.end()] = words[run.start() : run.end()]
    for run in regex.finditer(r"\s+", everything):
        found[run.start() : run.end()] = _BLANK * len(run[0])
    for digit in regex.finditer(r"\d", everything):
        # The module may know newer digits than Python does.
        found[digit.start()] = ord("0") + unicodedata.decimal(digit[0], 0)
    for character, letter in _letters(everything).items():
        found[ord(character)] = ord(letter)
    found[:128] = ASCII.encode("ascii")
    return bytes(found)


def _letters(everything: str) -> dict[str, str]:
    """What case-insensitive matching equates with an ASCII letter: K (Kelvin sign), long s, dotted and dotless i."""
    alike = "".join(set(regex.findall("[a-zA-Z]", everything[128:], regex.I)))
    return {
        character: letter
        for letter in ascii_lowercase
        for character in regex.findall(f"[{letter}{letter.upper()}]", alike, regex.I)
    }


@cache
def classes() -> dict[int, str]:
    """The non-ASCII code points by the byte that stands for them."""
    import numpy as np

    beyond = np.frombuffer(table(), np.uint8)[128:]
    order = np.argsort(beyond, kind="stable")
    starts = np.flatnonzero(np.diff(beyond[order], prepend=beyond[order[0]] + 1))
    return {
        int(beyond[group[0]]): (group + 128).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        for group in np.split(order, starts[1:])
    }


@cache
def _lookup() -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    import numpy as np

    return np.frombuffer(table(), np.uint8)
