"""What the pages of a list have in common: the list itself, its counts, and its exports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from flask import make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput, NotFound
from bastion.extensions import db
from bastion.services.search import counts, export
from bastion.services.search.pages import page_of_keys, why_empty
from bastion.services.search.rule_tokens import rule_labels
from bastion.services.search.selection import Listing, Selection, bounded_time
from bastion.services.search.timerange import Period
from bastion.web.lists import ListState, of_old, read_state, token_parts
from bastion.web.zones import reader_zone

FRAGMENT: Final = "X-Fragment"
"""The header by which a script asks for a part of a page."""

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class ListKind:
    """One of the lists. ``name`` is its blueprint and its folder of templates; ``old`` are parameters it once had."""

    name: str
    listing: Listing
    rows: Callable[[Session, Ids], list[Any]]
    facets: Callable[[Session, Selection, Period], counts.Facets]
    columns: tuple[str, ...]
    records: Callable[[Session, Ids], list[dict[str, Any]]]
    old: Mapping[str, tuple[str, str]]

    @property
    def path(self) -> str:
        return url_for(f"{self.name}.index")

    def state(self, *also: str) -> ListState:
        """The state that this request's address says. Raises ``InvalidInput``."""
        return read_state(self.path, self.listing.fields, request.args, reader_zone(), also=also)


def show_list(kind: ListKind, more: Callable[[Session, ListState], dict[str, Any]]) -> str | Response:
    """The list that the address says; ``more`` adds what only this list's template wants.

    What is wrong in the address is said beside the search box, and nothing is listed. An address in another spelling,
    as forms and earlier versions write it, is redirected to the one that everybody shares.
    """
    arguments = request.args
    old = of_old(arguments, kind.old)
    try:
        given = arguments if old is None else MultiDict(old)
        state = read_state(kind.path, kind.listing.fields, given, reader_zone())
        if state.parameters() != arguments.to_dict():
            return redirect(state.address())
        with bounded_time(db.session()):
            return _page(kind, state, more)
    except InvalidInput as error:
        typed = arguments.get("q", "") if old is None else old.get("q", "")
        empty = ListState(kind.path, kind.listing.fields)
        page = render_template(
            f"{kind.name}/index.html", kind=kind, state=empty, typed=typed, faults=error.faults, chips=[], page=None
        )
        return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)


def _page(kind: ListKind, state: ListState, more: Callable[[Session, ListState], dict[str, Any]]) -> str:
    session = db.session()
    listing = kind.listing
    selection = listing.select(session, state.search)
    page = page_of_keys(session, listing, selection, state.period, oldest_first=state.oldest_first, bookmark=state.page)
    rows = kind.rows(session, page.keys)
    quick = bool(rows) and counts.is_quick(session, selection, state.period)
    return render_template(
        f"{kind.name}/index.html",
        kind=kind,
        state=state,
        typed=state.text,
        faults=(),
        chips=_chips(session, state),
        page=page,
        rows=rows,
        histogram=counts.histogram(session, listing, selection, state.period, reader_zone()) if quick else None,
        empty=None if rows or page.unfinished else why_empty(session, listing, state.period),
        export_limit=export.MAX_ROWS,
        **more(session, state),
    )


def show_facets(kind: ListKind) -> str:
    """Counts of the list that the address says: for a script as the part of the page that it fills, else as a page."""
    state = kind.state()
    session = db.session()
    with bounded_time(session):
        selection = kind.listing.select(session, state.search)
        return render_template(
            "lists/facets.html",
            kind=kind,
            state=state,
            chips=_chips(session, state),
            fragment=FRAGMENT in request.headers,
            histogram_counts=counts.histogram(session, kind.listing, selection, state.period, reader_zone()),
            facets=kind.facets(session, selection, state.period),
        )


def stream_export(kind: ListKind, suffix: str) -> Response:
    """All rows that the address says, as a file. Nothing is read before the first byte is asked for."""
    form = export.FORMATS.get(suffix)
    if form is None:
        raise NotFound(f"there is no export {suffix!r}; there are {', '.join(export.FORMATS)}")
    state = kind.state("limit")
    limit = _limit(request.args.get("limit"))
    selection = kind.listing.select(db.session(), state.search)
    db.session.rollback()
    database = db.engine
    keys = export.selected_keys(
        database, kind.listing, selection, Period(state.period.since, state.period.until or state.now),
        oldest_first=state.oldest_first,
    )  # fmt: skip
    records = export.up_to(limit, chain.from_iterable(_records(kind, database, batch) for batch in keys))
    answer = Response(
        form.write(records, kind.columns, kind.listing.noun, limit), content_type=f"{form.mimetype}; charset=utf-8"
    )
    answer.headers["Content-Disposition"] = f"attachment; filename=bastion-{kind.name}.{suffix}"
    return answer


def _records(kind: ListKind, database: sa.Engine, keys: Ids) -> Iterator[dict[str, Any]]:
    with Session(database) as session:
        records = kind.records(session, keys)
    yield from records


def _limit(given: str | None) -> int:
    if given is None:
        return export.MAX_ROWS
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= export.MAX_ROWS):
        raise InvalidInput([FieldFault("limit", f"wants a number from 1 to {export.MAX_ROWS:,}")])
    return int(given)


def _chips(session: Session, state: ListState) -> list[dict[str, Any]]:
    labels = rule_labels(session, state.search)
    return [
        token_parts(token, labels) | {"removed": state.removed(token), "turned": state.turned(token)}
        for token in state.search
    ]
