"""A text in pieces that a template can show: matches marked, invisible characters made visible.

Prompts are written by attackers. Nothing here makes HTML; the template escapes every piece.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

MAX_SHOWN: Final = 100_000
"""Code points of a text that a page shows."""

MAX_PIECES: Final = 5_000
"""Pieces that a page shows: every other character hidden would make megabytes of markup."""

# Controls but tab and line feed, format characters (zero-width, bidi, tags), variation selectors, and blanks that
# do not look like one.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2400\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_RUN: Final = re.compile(f"({_HIDDEN.pattern})\\1*")


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the text that something matched, in code points, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text under the same marks. ``token`` stands for characters that cannot be seen."""

    text: str
    labels: tuple[str, ...] = ()
    token: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text ready to be shown. ``hidden`` counts invisible characters, ``cut`` what is not shown."""

    pieces: tuple[Piece, ...]
    hidden: int
    cut: int


def mark(text: str, marks: Iterable[Mark]) -> MarkedText:
    """Cuts a text at the ends of its marks, which may overlap, and at characters that cannot be seen."""
    every = (
        piece for stretch, labels in _stretches(text[:MAX_SHOWN], list(marks)) for piece in _visible(stretch, labels)
    )
    pieces = tuple(islice(every, MAX_PIECES))
    shown = sum(piece.times if piece.token else len(piece.text) for piece in pieces)
    return MarkedText(pieces, len(_HIDDEN.findall(text)), len(text) - shown)


def visible(text: str) -> str:
    """A short text for a table's cell: what cannot be seen is named in angle brackets."""
    return _RUN.sub(lambda run: f"⟨U+{ord(run[1]):04X}{f'×{len(run[0])}' if len(run[0]) > 1 else ''}⟩", text)


def _stretches(text: str, marks: list[Mark]) -> Iterator[tuple[str, tuple[str, ...]]]:
    starts: dict[int, list[Mark]] = {}
    ends: dict[int, list[Mark]] = {}
    for one in marks:
        if 0 <= one.start < one.end and one.start < len(text):
            starts.setdefault(one.start, []).append(one)
            ends.setdefault(min(one.end, len(text)), []).append(one)
    open_marks: list[Mark] = []
    before = 0
    for point in sorted({*starts, *ends, len(text)}):
        if point > before:
            yield text[before:point], tuple(dict.fromkeys(one.label for one in open_marks))
        for one in ends.get(point, ()):
            open_marks.remove(one)
        open_marks += starts.get(point, ())
        before = point


def _visible(stretch: str, labels: tuple[str, ...]) -> Iterator[Piece]:
    done = 0
    for run in _RUN.finditer(stretch):
        if run.start() > done:
            yield Piece(stretch[done : run.start()], labels)
        yield Piece("", labels, _name(run[1]), len(run[0]))
        done = run.end()
    if done < len(stretch):
        yield Piece(stretch[done:], labels)


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control')}"
