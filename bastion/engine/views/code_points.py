"""Texts as arrays of code points, and what Unicode says of each: tables built when they are first asked for.

They are of the Unicode versions that Python's ``unicodedata`` and the ``regex`` module know.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import regex

CodePoints = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]

REMOVED: Final = 0xFFFFFFFF
"""What stands in a table for a code point that is dropped."""

ALPHABETS: Final = ((0x80, 0x3400), (0xA000, 0xAC00), (0xF900, 0x12550), (0x16A00, 0x17000), (0x1B000, 0x1FC00))
"""Where the scripts and symbols are that change or join: not the ideographs, nor Hangul syllables."""

IDEOGRAPHS: Final = ((0x3400, 0xA000), (0xAC00, 0xD7A4), (0x20000, 0x2F800))
"""Where the ideographs and the Hangul syllables are, which stay what they are."""

_COUNT: Final = 0x110000
_EMPTY_BRAILLE: Final = 0x2800
_HANGUL_VOWELS_AND_FINALS: Final = ((0x1161, 0x1176), (0x11A8, 0x11C3))
_INVISIBLE: Final = r"[\p{Default_Ignorable_Code_Point}[\p{Cf}--\p{Prepended_Concatenation_Mark}]]+"


def to_points(text: str) -> CodePoints:
    # By way of UTF-32 every surrogate is an error to be handled: 300 ns each.
    return np.array([text + "."]).view(np.uint32)[:-1]


def to_text(points: CodePoints) -> str:
    # The last character keeps NumPy from taking NUL characters at the end for padding.
    closed = np.append(points, np.uint32(ord(".")))
    return str(closed.view(f"U{len(closed)}").item())[:-1]


def every_code_point() -> CodePoints:
    """A table in which every code point is itself."""
    return np.arange(_COUNT, dtype=np.uint32)


@cache
def shown() -> CodePoints:
    """What is seen of each code point: nothing of invisible ones, and of a tag the ASCII that it spells."""
    table = every_code_point()
    for begin, end in ((0x80, 0x20000), (0xE0000, 0xE1000)):
        for run in regex.finditer(_INVISIBLE, "".join(map(chr, range(begin, end))), regex.V1):
            table[begin + run.start() : begin + run.end()] = REMOVED
    table[0xE0020:0xE007F] = range(0x20, 0x7F)
    # A letter to Unicode, a space to the eye.
    table[_EMPTY_BRAILLE] = ord(" ")
    return table


@cache
def marks() -> Flags:
    """The combining marks."""
    table = np.zeros(_COUNT, np.bool_)
    for begin, end in ALPHABETS:
        for run in regex.finditer(r"\p{M}+", "".join(map(chr, range(begin, end)))):
            table[begin + run.start() : begin + run.end()] = True
    return table


@cache
def reordered() -> Flags:
    """The code points that normalising may move to before or behind others, when many stand in a row."""
    table = np.zeros(_COUNT, np.bool_)
    for point, first in _first_parts():
        if unicodedata.combining(first):
            table[point] = True
    return table


@cache
def joining() -> Flags:
    """The code points that normalising may join with what stands before them, or move."""
    seconds = {chr(point) for begin, end in _HANGUL_VOWELS_AND_FINALS for point in range(begin, end)}
    for parts in canonical_decompositions().values():
        seconds.update(parts[1:])
    table = reordered().copy()
    for point, first in _first_parts():
        if first in seconds:
            table[point] = True
    return table


def canonical_decompositions() -> dict[str, str]:
    """The characters of the alphabets that are the same as others in a row, and these."""
    found = {}
    for begin, end in ALPHABETS:
        for character in map(chr, range(begin, end)):
            parts = unicodedata.decomposition(character)
            if parts and parts[0] != "<":
                found[character] = unicodedata.normalize("NFD", character)
    return found


def _first_parts() -> Iterator[tuple[int, str]]:
    """The first character of what normalising takes each code point apart into."""
    for begin, end in ALPHABETS:
        for point in range(begin, end):
            yield point, unicodedata.normalize("NFKD", chr(point))[0]
