"""Words taken apart: their letters stand alone, with spaces, points, dashes or the like between them."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Final

import regex

from bastion.engine.verdict import Span
from bastion.engine.views.revealed import Reading, Revealed, read_in_place
from bastion.engine.views.segmentation import segmented
from bastion.engine.views.vocabulary import VOCABULARY

_ONE: Final = r"[^\W_]"
_LETTER: Final = r"[^\W\d_]"
_SEPARATORS: Final = (
    *map(regex.escape, ".-_*/|~+,:"),
    r"[^\x00-\x7f\w\s\xad\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]",
)


def _sign() -> str:
    """Four letters or digits with white space or one separator between any two, or two short words of letters."""
    apart = [rf"(?:\s{{1,8}}{_ONE}){{3}}"]
    for separator in _SEPARATORS:
        gap = rf"\s{{0,4}}{separator}{{1,8}}\s{{0,4}}"
        apart.append(f"(?:{gap}{_ONE}){{3}}")
        short = f"(?:{gap}{_LETTER}){{1,2}}"
        apart.append(rf"{short}\s{{1,8}}(?:{_LETTER}\s{{1,8}})?{_LETTER}{short}")
    return rf"(?:\b|_){_ONE}(?:{'|'.join(apart)})(?:\b|_)"


JOINED_SIGN: Final = _sign()

_ALONE: Final = rf"{_ONE}(?!{_ONE})"
_GAP: Final = r"\s{0,4}(?P=separator){1,8}\s{0,4}"
_RUN: Final = regex.compile(
    rf"""(?<!{_ONE}) (?:
    (?: {_ALONE} \s{{1,8}} [^\w\s]{{1,3}} \s{{1,8}} ){{0,2}}
    {_ALONE} (?: \s{{1,8}} {_ALONE} ){{3}}
    (?: (?: \s{{1,8}} (?: [^\w\s]{{1,3}} \s{{1,8}} )? | [^\w\s]{{1,3}} \s{{1,8}} ) {_ALONE} )*+
    |
    (?= {_ONE} \s{{0,4}} (?P<separator> {"|".join(_SEPARATORS)} ) )
    {_ALONE} {_GAP} {_ALONE}
    (?: {_GAP} {_ALONE} | \s{{1,8}} {_ALONE} (?= (?: \s{{1,8}} {_ALONE} )? \s{{0,4}} (?P=separator) ) ){{2,}}+
    )""",
    regex.X,
    cache_pattern=False,
)
_BETWEEN: Final = regex.compile(r"[\W_]+", cache_pattern=False)

MAX_WORD: Final = 15
"""Letters of a word between others that are parted from it; more are taken for several words."""


def joined(text: str) -> Iterator[Revealed]:
    """The text with letters that stand alone, four and more, joined to words.

    What most often stands between two letters joins them, anything else parts words. Where nothing else stands
    between any, the words are those of the vocabulary.
    """
    return read_in_place(text, _RUN, _read)


def _read(run: str) -> Reading:
    between = _BETWEEN.findall(run)
    (joint, _), *others = Counter(between).most_common()
    if others:
        parted = {gap: _parting(gap, joint) for gap, _ in others} | {joint: ""}
        words = _BETWEEN.sub(lambda gap: parted[gap[0]], run)
        text = " ".join(segmented(word) if len(word) > MAX_WORD else word for word in words.split(" "))
    else:
        word = run[:: 1 + len(joint)]
        text = word if word.lower() in VOCABULARY else segmented(word)

    @cache
    def places() -> list[int]:
        return _places(run, text)

    def narrow(start: int, end: int) -> Span:
        return places()[start], places()[end - 1] + 1

    return Reading(text, None, narrow)


def _parting(gap: str, joint: str) -> str:
    """What parts two words: a space, and whatever a gap has that those within words have not."""
    rest = gap.removeprefix(joint).removesuffix(joint)
    if set(rest) <= {*joint, *" \t\r\n"} or rest.isspace():
        return " "
    return regex.sub(r"\s+", " ", rest)


def _places(run: str, text: str) -> list[int]:
    """Where in the run each character of its reading stands; a space stands behind what it follows."""
    places, at = [], 0
    for character in text:
        found = at if character == " " else run.index(character, at)
        places.append(found)
        at = found + 1
    return places
