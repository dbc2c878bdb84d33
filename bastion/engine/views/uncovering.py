"""The views of one text: as it was sent, and as whatever is hidden in it."""

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import regex

from bastion.engine.verdict import RAW_VIEW, Span
from bastion.engine.views.disguises import DISGUISES, Disguise
from bastion.engine.views.revealed import Origin, same_place

MAX_DEPTH: Final = 2
"""Disguises within one another that are taken off, those of cost 0 not counted."""

MAX_VIEWS: Final = 160
"""Views of one text, with the text as it was sent."""

MAX_CHARACTERS: Final = 16_000_000
"""Code points of all the views of a text, without the text as it was sent."""

MAX_EFFORT: Final = 12_000_000
"""Code points of views, counted once for every disguise that is tried on them: some 0.1 microseconds each."""


@dataclass(frozen=True, slots=True)
class View:
    """A form of the text that was sent: itself, or what was found behind the disguises that ``name`` lists in order.

    The name has at most 50 characters. ``origin`` leads one step back, to ``parent``.
    """

    name: str
    text: str
    depth: int = 0
    parent: "View | None" = None
    origin: Origin = same_place

    def span(self, start: int, end: int) -> Span:
        """Where in the text as it was sent this part of the view came from, in code points, end exclusive."""
        view = self
        while view.parent is not None:
            start, end = view.origin(start, end)
            view = view.parent
        return start, end


class Uncovering:
    """The views of one text, to be iterated over once: first the text itself, then breadth first what is revealed.

    ``reveal`` is called for each view while it is the last that came; the rest of the work is done when it is asked
    for. No text comes twice. ``left_out`` tells in the end whether there were more than the limits allow.
    """

    __slots__ = ("_hiding", "_raw", "left_out")

    def __init__(self, text: str) -> None:
        self.left_out = False
        self._raw = View(RAW_VIEW, text)
        self._hiding: deque[tuple[View, list[Disguise]]] = deque()

    def __iter__(self) -> Iterator[View]:
        yield self._raw
        if not self._hiding:
            return
        seen, characters_left = {self._raw.text}, MAX_CHARACTERS
        for view in self._revealed():
            if view.text in seen:
                continue
            if len(seen) == MAX_VIEWS:
                self.left_out = True
                return
            if len(view.text) > characters_left:
                self.left_out = True
                continue
            seen.add(view.text)
            characters_left -= len(view.text)
            yield view

    def _revealed(self) -> Iterator[View]:
        effort_left = MAX_EFFORT
        while self._hiding:
            parent, disguises = self._hiding.popleft()
            before = "" if parent is self._raw else f"{parent.name}+"
            for disguise in disguises:
                if parent is not self._raw and len(parent.text) > effort_left:
                    self.left_out = True
                    break
                effort_left -= len(parent.text)
                for revealed in disguise.reveal(parent.text):
                    depth = parent.depth + disguise.cost
                    yield View(before + disguise.name, revealed.text, depth, parent, revealed.origin)

    def reveal(self, view: View, signs: Container[str]) -> None:
        """Lets what is behind the disguises with these names, whose signs are in the view, follow as views."""
        is_ascii = view.text.isascii()
        if is_ascii and not signs:
            return
        plain = is_ascii or (view.parent is not None and view.parent.depth == view.depth)
        left = MAX_DEPTH - view.depth
        disguises = [
            disguise
            for disguise in DISGUISES
            if (disguise.cost <= left and disguise.name in signs if disguise.sign else not plain)
        ]
        if disguises:
            self._hiding.append((view, disguises))


def uncover(text: str) -> Iterator[View]:
    """All views of a text."""
    uncovering = Uncovering(text)
    for view in uncovering:
        yield view
        uncovering.reveal(view, signs_in(view.text) if view.depth < MAX_DEPTH else ())


def signs_in(text: str) -> set[str]:
    """The names of the disguises whose signs are in the text."""
    return {name for name, sign in _signs() if sign.search(text)}


@cache
def _signs() -> tuple[tuple[str, regex.Pattern[str]], ...]:
    return tuple(
        (disguise.name, regex.compile(disguise.sign, cache_pattern=False)) for disguise in DISGUISES if disguise.sign
    )
