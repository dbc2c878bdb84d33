"""A text found behind a disguise, and the way back from it."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import regex

from bastion.engine.verdict import Span

Origin = Callable[[int, int], Span]
"""The span of a text that a span of what was revealed from it came from, both in code points, end exclusive."""


@dataclass(frozen=True, slots=True)
class Revealed:
    """A text found behind a disguise, and where its parts came from."""

    text: str
    origin: Origin


def same_place(start: int, end: int) -> Span:
    """The origin where every character was replaced by one other."""
    return start, end


class Reading(NamedTuple):
    """What a piece of text says.

    ``span`` is the part of the piece that says it, all of it when there is none; ``narrow`` is the origin, in the
    piece, of parts of what it says. Without it any part came from the whole span.
    """

    text: str
    span: Span | None = None
    narrow: Origin | None = None


class Piece(NamedTuple):
    """A part of a text that was replaced by ``length`` others."""

    start: int
    end: int
    length: int
    narrow: Origin | None = None
    offset: int = 0

    def origin(self, start: int, end: int) -> Span:
        """Where in the text came from what is from ``start`` to ``end`` in what replaced the piece."""
        if self.narrow is None:
            return self.start, self.end
        first, last = self.narrow(start, end)
        return self.offset + first, self.offset + last


class PieceOrigin:
    """The origin where pieces were replaced and the rest was left; the pieces are found when it is first asked."""

    __slots__ = ("_find", "_pieces", "_starts")

    def __init__(self, find: Callable[[], Iterable[Piece]]) -> None:
        self._find = find
        self._pieces: list[Piece] | None = None
        self._starts: list[int] = []

    def __call__(self, start: int, end: int) -> Span:
        pieces = self._located()
        first = self._from(pieces, start)
        return first, max(first, self._until(pieces, end))

    def _located(self) -> list[Piece]:
        if self._pieces is None:
            self._pieces, shift = list(self._find()), 0
            for piece in self._pieces:
                self._starts.append(piece.start + shift)
                shift += piece.length - (piece.end - piece.start)
        return self._pieces

    def _from(self, pieces: list[Piece], at: int) -> int:
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return at
        piece, within = pieces[index], at - self._starts[index]
        if within < piece.length:
            return piece.origin(within, within + 1)[0]
        return piece.end + within - piece.length

    def _until(self, pieces: list[Piece], at: int) -> int:
        index = bisect_left(self._starts, at) - 1
        if index < 0:
            return at
        piece, within = pieces[index], at - self._starts[index]
        if within <= piece.length:
            return piece.origin(within - 1, within)[1]
        return piece.end + within - piece.length


def read_in_place(
    text: str,
    expression: regex.Pattern[str],
    read: Callable[[str], Reading | None],
    begins: re.Pattern[str] | None = None,
) -> Iterator[Revealed]:
    """The text with what every match says in its place; nothing when no match says anything (``None``).

    No match begins but where one of ``begins`` does: Python's own module finds these several times as fast.
    """
    read = cache(read)
    matches = expression.finditer if begins is None else partial(_matches, begins, expression)

    def pieces() -> Iterator[Piece]:
        for match in matches(text):
            if reading := read(match[0]):
                at = match.start()
                start, end = reading.span or (0, len(match[0]))
                yield Piece(at + start, at + end, len(reading.text), reading.narrow, at)

    parts: list[str] = []
    done = 0
    for match in matches(text):
        if reading := read(match[0]):
            start, end = reading.span or (0, len(match[0]))
            parts += (text[done : match.start() + start], reading.text)
            done = match.start() + end
    revealed = "".join([*parts, text[done:]])
    if revealed != text:
        yield Revealed(revealed, PieceOrigin(pieces))


def _matches(begins: re.Pattern[str], expression: regex.Pattern[str], text: str) -> Iterator[regex.Match[str]]:
    at = 0
    while begin := begins.search(text, at):
        match = expression.match(text, begin.start())
        if match:
            yield match
        at = match.end() if match else begin.start() + 1
