"""A list as a file: CSV, JSON or JSON Lines of the rows that a search selects, however many, in constant memory."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.services.search.selection import Condition, Listing, Selection, find_window
from bastion.services.search.timerange import Period

MAX_ROWS: Final = 1_000_000
BATCH: Final = 500
LOOKED_AT: Final = 50_000
"""Rows of an index that are looked at between two batches at most."""

Record = dict[str, Any]
Pieces = Iterable[Record | None]
"""The records of an export, and ``None`` at the end if more rows were there than asked for."""


@dataclass(frozen=True, slots=True)
class Format:
    """How records become a file."""

    suffix: str
    mimetype: str
    write: Callable[[Pieces, Sequence[str], str, int], Iterator[str]]


def selected_keys(
    database: sa.Engine, listing: Listing, selection: Selection, period: Period, *, oldest_first: bool
) -> Iterator[list[int]]:
    """Ids in batches, in order. Each batch is a short transaction of its own, so that no export holds one for long."""
    back = not oldest_first
    place: tuple[datetime, int] | None = None
    left = period
    while True:
        with Session(database) as session:
            window = find_window(session, selection, left, LOOKED_AT, back=back)
            full = True
            while full:
                keys = _next_keys(session, listing, selection.where(window.driver, window.period), place, back=back)
                session.rollback()
                if keys:
                    place = (keys[-1][0], keys[-1][1])
                    yield [key for _, key in keys]
                full = len(keys) == BATCH
        if window.complete:
            return
        # Rows at the edge's time were in this window.
        edge = window.period.since if back else window.period.until
        left = Period(left.since, edge) if back else Period(edge, left.until)


def _next_keys(
    session: Session,
    listing: Listing,
    conditions: Sequence[Condition],
    place: tuple[datetime, int] | None,
    *,
    back: bool,
) -> Sequence[Any]:
    moment, key = listing.moment, listing.key
    chosen = sa.select(moment, key).where(*conditions)
    if place is not None:
        when, last = place
        beyond = sa.or_(moment < when, key < last) if back else sa.or_(moment > when, key > last)
        chosen = chosen.where(moment <= when if back else moment >= when, beyond)
    order = (moment.desc(), key.desc()) if back else (moment.asc(), key.asc())
    return session.execute(chosen.order_by(*order).limit(BATCH)).all()


def up_to(limit: int, records: Iterable[Record]) -> Iterator[Record | None]:
    """The first records, and ``None`` if there is one more."""
    for number, record in enumerate(records):
        if number == limit:
            yield None
            return
        yield record


def _csv(pieces: Pieces, columns: Sequence[str], noun: str, limit: int) -> Iterator[str]:
    """With a byte order mark, without which Excel takes UTF-8 for something else.

    A cut file ends with a record of one cell: programs that expect as many cells as the header has fail on it.
    """
    yield "\ufeff" + _csv_line(columns)
    for record in pieces:
        if record is None:
            yield _csv_line([_cut_at(noun, limit)])
        else:
            yield _csv_line([_cell(record[column]) for column in columns])


def _jsonl(pieces: Pieces, columns: Sequence[str], noun: str, limit: int) -> Iterator[str]:
    """A cut file ends with a line that has no id but ``truncated``."""
    del columns
    for record in pieces:
        yield _json_text({"truncated": True, "detail": _cut_at(noun, limit)} if record is None else record) + "\n"


def _json(pieces: Pieces, columns: Sequence[str], noun: str, limit: int) -> Iterator[str]:
    """One object: the records, and whether there are more."""
    del columns, limit
    truncated = False
    yield f'{{"{noun}s": ['
    for number, record in enumerate(pieces):
        if record is None:
            truncated = True
        else:
            yield (",\n" if number else "\n") + _json_text(record)
    yield f'\n], "truncated": {json.dumps(truncated)}}}\n'


FORMATS: Final = {
    form.suffix: form
    for form in (
        Format("csv", "text/csv", _csv),
        Format("json", "application/json", _json),
        Format("jsonl", "application/jsonl", _jsonl),
    )
}


def _cut_at(noun: str, limit: int) -> str:
    return f"Cut at {limit:,} {noun}s: there are more. Narrow the search or the range."


def _json_text(record: Record) -> str:
    # In ASCII, so that whatever a text holds has one spelling in every reader.
    return json.dumps(record, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an export")


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return defused("; ".join(map(str, value)))
    return defused(value) if isinstance(value, str) else value


_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")


def defused(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, with NUL and lone surrogates spelt out.

    Spreadsheets skip blanks and characters that cannot be seen before a formula, and take wide forms of its sign.
    """
    text = _UNWRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    seen = next((place for place, character in enumerate(text) if not _is_skipped(character)), len(text))
    first = unicodedata.normalize("NFKC", text[seen : seen + 1])
    skipped = text[:seen].strip("".join(filter(_is_format, set(text[:seen]))))
    return f"'{text}" if first.startswith(("=", "+", "-", "@")) or skipped.startswith(("\t", "\r")) else text


def _is_format(character: str) -> bool:
    return unicodedata.category(character) == "Cf"


def _is_skipped(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cf", "Cc")
