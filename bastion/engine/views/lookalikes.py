"""Which ASCII letter or digit a character passes for."""

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from bastion.engine.views.code_points import (
    ALPHABETS,
    REMOVED,
    CodePoints,
    canonical_decompositions,
    every_code_point,
    shown,
)

_NAMED: Final = re.compile(
    r"(?:LATIN (?P<case>SMALL|CAPITAL) LETTER|LATIN LETTER (?P<small_capital>SMALL) CAPITAL"
    r"|REGIONAL INDICATOR SYMBOL LETTER|(?:CROSSED )?NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER)"
    r"(?: [A-Z]{2,})* (?P<letter>[A-Z])(?: BAR)?(?: WITH .+)?"
)
_NAMED_BEFORE_NORMALISING: Final = re.compile(
    r"(?:PARENTHESIZED LATIN (?P<case>SMALL|CAPITAL) LETTER"
    r"|COMBINING LATIN (?:LETTER )?(?P<small_capital>SMALL) (?:LETTER|CAPITAL)) (?P<letter>[A-Z])"
)

_NAMED_SO: Final = (
    *((0x80, 0x370), (0x1AB0, 0x1B00), (0x1D00, 0x1F00), (0x2180, 0x2190), (0x2490, 0x24C0), (0x2C60, 0x2C80)),
    *((0xA720, 0xA800), (0xAB30, 0xAB70), (0x1DF00, 0x1E000), (0x1F100, 0x1F200)),
)
"""Where the code points with such names are."""

_OURS: Final = {
    "A": "ΛΔ∆₳Дᗩ", "B": "฿", "C": "₵Ↄᑕ", "D": "₫", "E": "ΣΞЄЭᗴ", "F": "₣", "G": "₲ᘜ", "I": "ІΙⲒꓲƖ𐊊𐌉",
    "K": "₭", "L": "₤", "M": "₥", "N": "ИΠ₦ᑎ", "P": "₱", "Q": "ᑫ", "R": "Я", "S": "₴", "T": "₮", "U": "Ц",
    "W": "ШѠ₩ᗯ", "Z": "ᘔ",
    "b": "вьъβ", "c": "¢ɔ", "d": "∂δ", "e": "εєэ€", "h": "нђћ", "k": "кκĸ", "m": "м", "n": "ŋηпиπ", "o": "θ",
    "p": "þ", "r": "я", "t": "тτ†", "u": "цμ", "v": "√", "w": "шωѡ", "x": "χ", "z": "ζ",
}  # fmt: skip
"""What disguises are written with beyond Unicode's confusables, and where these prefer l to I."""

_DROPPED_CLASSES: Final = {1, *range(10, 37), *range(200, 241)}
"""Combining classes of strokes, of Hebrew and Arabic points, and of what stands above and below letters.

Not those that make another letter of Japanese, Thai and the scripts of India.
"""


@cache
def shown_as_letters() -> CodePoints:
    """As ``shown``; letters in parentheses and letters above others, which normalising would lose, are letters."""
    table = shown().copy()
    for character, letter in _named(_NAMED_BEFORE_NORMALISING):
        table[ord(character)] = ord(letter)
    return table


@cache
def lookalikes() -> CodePoints:
    """The ASCII letter or digit that a normalised code point passes for, itself if none; accents are dropped."""
    ours = {like: letter for letter, all_like in _OURS.items() for like in all_like}
    folds = {**dict(_named(_NAMED)), **_confusables(), **_digits_and_accents(), **ours}
    for character, parts in canonical_decompositions().items():
        left = [part for part in parts if folds.get(part) != ""]
        if len(left) == 1 < len(parts):
            folds[character] = folds.get(left[0], left[0])
    table = every_code_point()
    for character, fold in folds.items():
        table[ord(character)] = ord(fold) if fold else REMOVED
    return table


def _named(expression: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """The characters that are called a letter."""
    for begin, end in _NAMED_SO:
        for character in map(chr, range(begin, end)):
            if named := expression.fullmatch(unicodedata.name(character, "")):
                small = "SMALL" in (named["case"], named["small_capital"])
                yield character, named["letter"].lower() if small else named["letter"]


def _digits_and_accents() -> dict[str, str]:
    """The digits by their value; and nothing for each accent."""
    found = {}
    for begin, end in ALPHABETS:
        for character in map(chr, range(begin, end)):
            digit = unicodedata.digit(character, None)
            if digit is not None:
                found[character] = str(digit)
            elif unicodedata.combining(character) in _DROPPED_CLASSES or unicodedata.category(character) == "Me":
                found[character] = ""
    return found


def _confusables() -> dict[str, str]:
    """Unicode's confusables that are one character and pass for one ASCII letter or digit.

    Marks belong to their script and are left out.
    """
    stored = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    return {
        character: like["c"]
        for character, alike in stored.items()
        if len(character) == 1 and not character.isascii() and unicodedata.category(character)[0] != "M"
        for like in alike
        if len(like["c"]) == 1 and like["c"].isascii() and like["c"].isalnum()
    }
