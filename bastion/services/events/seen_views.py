"""The views that a scan looked at, as a page lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bastion.engine import Match
from bastion.engine.tracing import Trace
from bastion.engine.verdict import RAW_VIEW
from bastion.engine.views import View
from bastion.services.events.decoded import place_in

MAX_LISTED: Final = 40
"""Views that a page lists; it says how many more there were."""

MAX_SHOWN: Final = 2_000
"""Code points of a view that a page shows."""


@dataclass(frozen=True, slots=True)
class Found:
    """A match in a view: which of the scan's matches it is, from 1, and where in the view."""

    number: int
    match: Match
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SeenView:
    """A view with what was first found in it. ``first`` is where the shown part of its text begins."""

    name: str
    length: int
    first: int
    shown: str
    candidates: int
    found: tuple[Found, ...]

    @property
    def cut(self) -> int:
        """Code points that are not shown."""
        return self.length - len(self.shown)


def seen_views(trace: Trace, matches: Sequence[Match]) -> list[SeenView]:
    """The views of a trace, the text as sent first, those that showed a match before the others if not all fit."""
    left = {number: match for number, match in enumerate(matches, start=1) if match.view != RAW_VIEW}
    views = []
    for view, candidates in zip(trace.views, trace.candidates, strict=True):
        found = _found_in(view, left)
        for one in found:
            del left[one.number]
        views.append(_seen(view, candidates, found))
    if len(views) > MAX_LISTED:
        telling = [view for view in views if view.found][: MAX_LISTED - 1]
        silent = [view for view in views if not view.found][: MAX_LISTED - len(telling)]
        views = [view for view in views if view in telling or view in silent]
    return views


def _found_in(view: View, matches: dict[int, Match]) -> tuple[Found, ...]:
    found = []
    for number, match in matches.items():
        if match.view == view.name and match.revealed is not None:
            at = place_in(view, match.revealed, match.spans)
            if at is not None:
                found.append(Found(number, match, at, at + len(match.revealed)))
    return tuple(found)


def _seen(view: View, candidates: int, found: tuple[Found, ...]) -> SeenView:
    start = min((one.start for one in found), default=0)
    first = 0 if start < MAX_SHOWN // 2 else start - MAX_SHOWN // 4
    return SeenView(view.name, len(view.text), first, view.text[first : first + MAX_SHOWN], candidates, found)
