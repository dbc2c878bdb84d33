"""What a match says in the view that shows it, with what is around it there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bastion.engine.verdict import RAW_VIEW, Span
from bastion.engine.views import View, uncover
from bastion.services.events.evidence import Hit

AROUND: Final = 160
"""Code points of the view that are shown on either side of a match."""

MAX_MATCHED: Final = 1000

MAX_TEXT: Final = 50_000
"""Code points of a text whose views are made again for a page: beyond, only what was recorded is shown."""

_MAX_TRIES: Final = 200
"""Occurrences of the same words of which one is looked for."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A match in a view, and what is around it; ``cut_before`` and ``cut_after`` say that there is more."""

    view: str
    before: str
    matched: str
    after: str
    cut_before: bool
    cut_after: bool


def excerpts(text: str | None, hits: Iterable[Hit]) -> dict[int, Excerpt]:
    """By number, what each hit that was found in a view says there.

    The views are made from the text again; where that does not show the match, because the text was not stored as it
    was sent or the disguises are read differently today, it is what was recorded.
    """
    left = {hit.number: hit for hit in hits if hit.view != RAW_VIEW and hit.revealed}
    found = {number: _bare(hit) for number, hit in left.items()}
    if left and text is not None and len(text) <= MAX_TEXT:
        for view in uncover(text):
            for hit in [hit for hit in left.values() if hit.view == view.name]:
                at = place_in(view, hit.revealed or "", hit.spans)
                if at is not None:
                    found[hit.number] = around(view, at, len(hit.revealed or ""))
                    del left[hit.number]
            if not left:
                break
    return found


def place_in(view: View, revealed: str, spans: Sequence[Span]) -> int | None:
    """Where a view says what a match reveals, if that came from one of the match's spans."""
    at = view.text.find(revealed)
    for _ in range(_MAX_TRIES):
        if at < 0:
            return None
        if view.span(at, at + len(revealed)) in spans:
            return at
        at = view.text.find(revealed, at + 1)
    return None


def around(view: View, start: int, length: int) -> Excerpt:
    end = start + min(length, MAX_MATCHED)
    return Excerpt(
        view=view.name,
        before=view.text[max(0, start - AROUND) : start],
        matched=view.text[start:end],
        after=view.text[end : end + AROUND],
        cut_before=start > AROUND,
        cut_after=end + AROUND < len(view.text),
    )


def _bare(hit: Hit) -> Excerpt:
    revealed = hit.revealed or ""
    return Excerpt(hit.view, "", revealed[:MAX_MATCHED], "", cut_before=False, cut_after=len(revealed) > MAX_MATCHED)
