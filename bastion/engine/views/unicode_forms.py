"""What a text that is not ASCII looks like to a reader, and to one who takes letters for what they pass for."""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import regex

from bastion.engine.verdict import Span
from bastion.engine.views.code_points import (
    ALPHABETS,
    IDEOGRAPHS,
    REMOVED,
    CodePoints,
    Flags,
    every_code_point,
    joining,
    marks,
    reordered,
    shown,
    to_points,
    to_text,
)
from bastion.engine.views.decoding import decode_bytes
from bastion.engine.views.lookalikes import lookalikes, shown_as_letters
from bastion.engine.views.revealed import Origin, Piece, PieceOrigin, Reading, Revealed, read_in_place

MAX_MARKS: Final = 30
"""Combining marks in a row that are kept (UAX #15's stream-safe format): ordering n of them takes n * n steps."""

_SMUGGLED: Final = regex.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}+", cache_pattern=False)


class _Kept:
    """The origin in a text of which some characters were dropped."""

    __slots__ = ("_keep", "_places")

    def __init__(self, keep: Flags) -> None:
        self._keep = keep
        self._places: CodePoints | None = None

    def __call__(self, start: int, end: int) -> Span:
        if self._places is None:
            self._places = np.flatnonzero(self._keep).astype(np.uint32)
        first = int(self._places[start]) if start < len(self._places) else len(self._keep)
        return first, int(self._places[end - 1]) + 1 if start < end else first


def normalised(text: str) -> Iterator[Revealed]:
    """The text in NFKC, without what is invisible, and with what was smuggled in variation selectors and tags."""
    if is_plain(text):
        return
    yield from _changed(text, *_normalised(text, shown()))


def folded(text: str) -> Iterator[Revealed]:
    """The same without accents and with ASCII letters and digits for whatever passes for one."""
    if is_plain(text):
        return
    visible, origins = _normalised(text, shown_as_letters())
    points = lookalikes()[to_points(visible)]
    keep = points != REMOVED
    accents = marks()[np.where(keep, points, 0)]
    if accents.any():
        keep &= ~accents | (_bases(points, keep & ~accents) > 127)
    yield from _changed(text, to_text(points[keep]), [*origins, _Kept(keep)])


def is_plain(text: str) -> bool:
    """Whether no character of the text can look like another, join with another or be left out."""
    return not bool(_telling()[to_points(text)].any())


@cache
def _telling() -> Flags:
    """The code points that are not always what they are, and those of which nobody has looked."""
    same = every_code_point()
    telling = np.ones(len(same), np.bool_)
    for begin, end in IDEOGRAPHS:
        telling[begin:end] = False
    for begin, end in ((0, 0x80), *ALPHABETS):
        telling[begin:end] = [unicodedata.normalize("NFKC", chr(point)) != chr(point) for point in range(begin, end)]
    changed = (shown_as_letters() != same) | (lookalikes() != same)
    flags: Flags = telling | changed | joining() | marks()
    return flags


def _changed(text: str, revealed: str, origins: list[Origin]) -> Iterator[Revealed]:
    def origin(start: int, end: int) -> Span:
        for step in reversed(origins):
            start, end = step(start, end)
        return start, end

    if revealed != text:
        yield Revealed(revealed, origin)


def _normalised(text: str, table: CodePoints) -> tuple[str, list[Origin]]:
    """The normalised text, and the origins of its steps, the first first."""
    origins: list[Origin] = []
    if _SMUGGLED.search(text):
        for spelled_out in read_in_place(text, _SMUGGLED, _smuggled):
            text = spelled_out.text
            origins.append(spelled_out.origin)
    points = table[to_points(text)]
    keep = points != REMOVED
    are_marks = reordered()[points[keep]]
    if np.count_nonzero(are_marks) > MAX_MARKS:
        keep[keep] = _within_limit(are_marks)
    visible = to_text(points[keep])
    composed = unicodedata.normalize("NFKC", visible)
    origins.append(_Kept(keep))
    if composed != visible:
        origins.append(PieceOrigin(lambda: _composed(visible, composed)))
    return composed, origins


def _smuggled(selectors: str) -> Reading | None:
    """The text whose bytes the variation selectors stand for."""
    points = to_points(selectors)
    numbers = np.where(points < 0xE0100, points - 0xFE00, points - 0xE0100 + 16)
    decoded = decode_bytes(numbers.astype(np.uint8).tobytes())
    return Reading(decoded.text) if decoded else None


def _within_limit(are_marks: Flags) -> Flags:
    """Which characters are no marks, or at most the ``MAX_MARKS``-th in a row."""
    places = np.arange(1, len(are_marks) + 1)
    last_other = np.maximum.accumulate(np.where(are_marks, 0, places))
    return places - last_other <= MAX_MARKS


def _bases(points: CodePoints, are_bases: Flags) -> CodePoints:
    """For every character the last base at or before it; the first character where there is none."""
    return points[np.maximum.accumulate(np.where(are_bases, np.arange(len(points)), 0))]


def _composed(visible: str, composed: str) -> list[Piece]:
    """Which clusters of characters became which of the normalised text; all of it one piece if that cannot be told."""
    starts = np.flatnonzero(~joining()[to_points(visible)]).tolist()
    pieces, at = [], 0
    for start, end in pairwise([0, *(start for start in starts if start), len(visible)]):
        cluster = visible[start:end]
        became = unicodedata.normalize("NFKC", cluster)
        if became != cluster:
            pieces.append(Piece(start, end, len(became)))
        if not composed.startswith(became, at):
            return [Piece(0, len(visible), len(composed))]
        at += len(became)
    return pieces
