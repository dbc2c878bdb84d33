"""Two contents of a rule side by side, and three put together. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

MAX_LINES_COMPARED: Final = 1_000_000
"""Lines of one text times lines of the other, beyond which they are shown whole: comparing takes that many steps."""

MAX_WORDS_COMPARED: Final = 1_000_000
"""The same of the words in changed lines, in all."""

CONTEXT: Final = 3
"""Equal lines that are shown around a change."""

_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text; its number counts from 1."""

    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Lines that stand side by side. ``alike`` counts equal lines that are not shown instead."""

    old: Line | None = None
    new: Line | None = None
    alike: int = 0

    @property
    def changed(self) -> bool:
        return not self.alike and any(
            line is None or any(piece.changed for piece in line.pieces) for line in (self.old, self.new)
        )


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that two contents differ in."""

    field: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class MergedField:
    """A field that two people may have changed. ``collides`` says that both have, and differently."""

    field: str
    base: Any
    theirs: Any
    mine: Any
    collides: bool

    @property
    def merged(self) -> Any:
        """What it becomes while nobody chooses: whatever only one of them changed, and mine where they collide."""
        return self.mine if self.collides or self.mine != self.base else self.theirs


def as_text(value: Any) -> str:
    """A field's value as people read it: a list has a line for each of its texts."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return "\n".join(map(as_text, value))
        case dict():
            return ", ".join(f"{name}: {one}" for name, one in value.items() if one is not None)
    return str(value)


def differences(old: dict[str, Any], new: dict[str, Any], fields: Sequence[str]) -> list[FieldDifference]:
    """The fields that differ, line by line, and word by word in lines that have changed."""
    budget = _Budget(MAX_WORDS_COMPARED)
    found = []
    for field in fields:
        before, after = as_text(old.get(field)), as_text(new.get(field))
        if before != after:
            pairs = _pairs(before.split("\n"), after.split("\n"), budget)
            found.append(FieldDifference(field, tuple(_shortened(list(pairs)))))
    return found


def merge(
    base: dict[str, Any] | None, theirs: dict[str, Any], mine: dict[str, Any], fields: Sequence[str]
) -> list[MergedField]:
    """The fields in which theirs and mine differ. Without a base, both have changed all of them."""
    return [
        MergedField(
            field,
            base.get(field) if base else None,
            theirs.get(field),
            mine.get(field),
            collides=base is None or base.get(field) not in (theirs.get(field), mine.get(field)),
        )
        for field in fields
        if theirs.get(field) != mine.get(field)
    ]


class _Budget:
    def __init__(self, steps: int) -> None:
        self._left = steps

    def take(self, steps: int) -> bool:
        if steps > self._left:
            return False
        self._left -= steps
        return True


def _pairs(old: list[str], new: list[str], budget: _Budget) -> Iterator[Pair]:
    if len(old) * len(new) > MAX_LINES_COMPARED:
        opcodes = [("replace", 0, len(old), 0, len(new))]
    else:
        opcodes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()  # type: ignore[assignment]
    for kind, old_start, old_end, new_start, new_end in opcodes:
        for place in range(max(old_end - old_start, new_end - new_start)):
            left = old_start + place if old_start + place < old_end else None
            right = new_start + place if new_start + place < new_end else None
            before = None if left is None else old[left]
            after = None if right is None else new[right]
            left_pieces, right_pieces = (
                ((Piece(before or "", False),), (Piece(after or "", False),))
                if kind == "equal"
                else _words(before, after, budget)
            )
            yield Pair(
                None if left is None else Line(left + 1, left_pieces),
                None if right is None else Line(right + 1, right_pieces),
            )


def _words(old: str | None, new: str | None, budget: _Budget) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Two lines in pieces that are in both and pieces that are not."""
    whole = (Piece(old or "", True),), (Piece(new or "", True),)
    if not old or not new:
        return whole
    before, after = _WORD.findall(old), _WORD.findall(new)
    if not budget.take(len(before) * len(after)):
        return whole
    left: list[Piece] = []
    right: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if a < b:
            left.append(Piece("".join(before[a:b]), kind != "equal"))
        if c < d:
            right.append(Piece("".join(after[c:d]), kind != "equal"))
    return tuple(left), tuple(right)


def _shortened(pairs: list[Pair]) -> Iterator[Pair]:
    """The pairs, with long runs of equal lines left out but for some around each change."""
    shown = {
        near for place, pair in enumerate(pairs) if pair.changed for near in range(place - CONTEXT, place + CONTEXT + 1)
    }
    alike = 0
    for place, pair in enumerate(pairs):
        if place in shown:
            if alike:
                yield Pair(alike=alike)
            alike = 0
            yield pair
        else:
            alike += 1
    if alike:
        yield Pair(alike=alike)
