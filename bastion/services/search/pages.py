"""One page of a list, by keyset: the rows of the page and where the neighbours begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlakeyset import Marker, Page, select_page, serialize_bookmark, unserialize_bookmark
from sqlalchemy.orm import Session

from bastion.models import MAX_ID
from bastion.services.search.selection import Listing, Selection, Window, find_window, within
from bastion.services.search.timerange import Period

PER_PAGE: Final = 50
FIRST_LOOK: Final = 1_000
"""Rows of an index that mostly fill a page: a look at few is cheap, whatever plan the database takes."""

LOOKED_AT: Final = 3_000
"""Rows of an index that one page looks at: PostgreSQL takes 10 microseconds to search one text."""

FURTHER: Final = 10
"""How many times as many whoever goes on with an unfinished search has looked at: they have chosen to wait."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A page that is not full although rows are left: how many were looked at, up to when, and where to go on."""

    looked_at: int
    rows: str
    up_to: datetime
    bookmark: str


@dataclass(frozen=True, slots=True)
class KeyPage:
    """The ids of a page, in order, and the bookmarks of its neighbours."""

    keys: tuple[int, ...]
    previous: str | None
    next: str | None
    unfinished: Unfinished | None


def page_of_keys(
    session: Session,
    listing: Listing,
    selection: Selection,
    period: Period,
    *,
    oldest_first: bool = False,
    bookmark: str | None = None,
    per_page: int = PER_PAGE,
) -> KeyPage:
    """The page that begins at the bookmark, newest first unless told otherwise."""
    marker = unserialize_bookmark(bookmark) if bookmark else Marker(None, backwards=False)
    back = oldest_first == marker.backwards
    left = period
    limit = LOOKED_AT
    if marker.place:
        left = period.up_to(marker.place[0]) if back else period.from_then(marker.place[0])
        limit *= FURTHER if marker.place[1] in _NO_ROWS else 1
        marker = _at_the_edge(marker, period, back)
        bookmark = serialize_bookmark(marker)
    order = [column.asc() if oldest_first else column.desc() for column in (listing.moment, listing.key)]
    for looked_at in (FIRST_LOOK, limit):
        window = find_window(session, selection, left, looked_at, back=back)
        chosen: Any = sa.select(listing.moment, listing.key).where(*selection.where(window.driver, window.period))
        page: Page[Any] = select_page(session, chosen.order_by(*order), per_page=per_page, page=bookmark)
        if window.complete or page.paging.has_further:
            break
    unfinished = None
    if not window.complete and not page.paging.has_further:
        unfinished = _unfinished(window, limit, marker, back)
    return KeyPage(
        tuple(row[1] for row in page),
        page.paging.bookmark_previous if page.paging.has_previous else None,
        page.paging.bookmark_next if page.paging.has_next else None,
        unfinished,
    )


_NO_ROWS: Final = (0, MAX_ID)
"""In place of an id, before and after all that there are."""


def _at_the_edge(marker: Marker, period: Period, back: bool) -> Marker:
    """The marker, or, where the way to the first row of the period leads over others, one at the period's edge.

    PostgreSQL reads the index from the marker on, and not from the edge.
    """
    edge = period.until if back else period.since
    moment = marker.place[0] if marker.place else None
    if edge is None or moment is None or (moment < edge if back else moment >= edge):
        return marker
    return Marker((edge, _NO_ROWS[0]), backwards=marker.backwards)


def _unfinished(window: Window, looked_at: int, marker: Marker, back: bool) -> Unfinished:
    edge = window.period.since if back else window.period.until
    assert edge is not None
    # All rows at the edge's time have been looked at.
    place = (edge, _NO_ROWS[0] if back else _NO_ROWS[1])
    return Unfinished(
        looked_at, window.driver.rows, edge, serialize_bookmark(Marker(place, backwards=marker.backwards))
    )


def in_order(keys: Sequence[int], rows: Sequence[Any]) -> list[Any]:
    """The rows, whose first column is the key, in the order of the keys; those that are gone meanwhile are left out."""
    found = {row[0]: row for row in rows}
    return [found[key] for key in keys if key in found]


@dataclass(frozen=True, slots=True)
class Emptiness:
    """Why a list shows nothing: nothing is stored (``newest`` is ``None``), or nothing is in the range, or else nothing
    there matches.
    """

    newest: datetime | None
    in_range: bool


def why_empty(session: Session, listing: Listing, period: Period) -> Emptiness:
    newest = session.scalar(sa.select(sa.func.max(listing.moment)))
    some = sa.exists().where(*within(listing.moment, period)).select_from(listing.key.class_)
    return Emptiness(newest, bool(session.scalar(sa.select(some))))
