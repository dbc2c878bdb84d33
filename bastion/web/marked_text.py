"""A text in pieces that a template can show: matches marked, invisible characters made visible.

Prompts are written by attackers. Nothing here makes HTML; the template escapes every piece.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from bastion.engine import Severity
from bastion.web.hidden_characters import RUN, counted, token_of, visible

__all__ = ["Mark", "MarkedText", "Piece", "mark", "numbered", "visible"]

MAX_SHOWN: Final = 100_000
"""Code points of a text that a page shows."""

MAX_PIECES: Final = 5_000
"""Pieces that a page shows: every other character hidden would make megabytes of markup."""

_WORST_FIRST: Final = tuple(severity.value for severity in reversed(Severity))
_LINE_END: Final = re.compile("\r\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the text that something matched, in code points, end exclusive.

    ``number`` is that of the match in the page's list of matches, 0 for none, and ``place`` which of its stretches this
    is, from 1.
    """

    start: int
    end: int
    label: str
    severity: str | None = None
    number: int = 0
    place: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text under the same marks, of which ``opening`` begin here; ``at`` is where it is in the text.

    ``token`` stands for characters that cannot be seen; they repeat ``times`` times.
    """

    text: str
    marks: tuple[Mark, ...] = ()
    opening: tuple[Mark, ...] = ()
    at: int = 0
    token: str | None = None
    times: int = 1

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.label for one in self.marks))

    @property
    def severity(self) -> str:
        """The worst of its marks, or ``other``."""
        found = {(one.severity or "").lower() for one in self.marks}
        return next((severity for severity in _WORST_FIRST if severity in found), "other")


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text ready to be shown. ``hidden`` counts invisible characters by kind, ``cut`` what is not shown."""

    pieces: tuple[Piece, ...]
    hidden: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0


def mark(text: str, marks: Iterable[Mark]) -> MarkedText:
    """Cuts a text at the ends of its marks, which may overlap, and at characters that cannot be seen."""
    every = (piece for stretch in _stretches(text[:MAX_SHOWN], list(marks)) for piece in _visible(stretch))
    pieces = tuple(islice(every, MAX_PIECES))
    return MarkedText(pieces, counted(text), len(text) - sum(len(piece.text) for piece in pieces))


def numbered(spans: Iterable[Sequence[int]], label: str, severity: str | None, number: int) -> list[Mark]:
    """The marks of one match, as they are numbered in the page."""
    return [Mark(start, end, label, severity, number, place) for place, (start, end) in enumerate(spans, start=1)]


def _stretches(text: str, marks: list[Mark]) -> Iterator[Piece]:
    starts: dict[int, list[Mark]] = {}
    ends: dict[int, list[Mark]] = {}
    for one in dict.fromkeys(marks):
        if 0 <= one.start < one.end and one.start < len(text):
            starts.setdefault(one.start, []).append(one)
            ends.setdefault(min(one.end, len(text)), []).append(one)
    open_marks: list[Mark] = []
    opening: tuple[Mark, ...] = ()
    before = 0
    for point in sorted({*starts, *ends, len(text)}):
        if point > before:
            yield Piece(text[before:point], tuple(open_marks), opening, before)
        for one in ends.get(point, ()):
            open_marks.remove(one)
        opening = tuple(starts.get(point, ()))
        open_marks += opening
        before = point


def _visible(stretch: Piece) -> Iterator[Piece]:
    """A stretch cut at what cannot be seen; the first piece has what opens there."""
    opening = stretch.opening
    for piece in _cut(stretch):
        yield piece if opening == piece.opening else replace(piece, opening=opening)
        opening = ()


def _cut(stretch: Piece) -> Iterator[Piece]:
    done = 0
    for run in RUN.finditer(stretch.text):
        yield from _lines(stretch, done, run.start())
        yield Piece(run[0], stretch.marks, (), stretch.at + run.start(), *token_of(run))
        done = run.end()
    yield from _lines(stretch, done, len(stretch.text))


def _lines(stretch: Piece, start: int, end: int) -> Iterator[Piece]:
    """The text between, cut before every CR LF: browsers make one character of it, and offsets would shift."""
    for found in _LINE_END.finditer(stretch.text, start, end):
        if found.start() > start:
            yield Piece(stretch.text[start : found.start()], stretch.marks, (), stretch.at + start)
        start = found.start()
    if start < end:
        yield Piece(stretch.text[start:end], stretch.marks, (), stretch.at + start)
