"""Both databases' rows side by side."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from sqlalchemy import Table

from bastion.services.copying.rows import Row, partitions
from bastion.services.copying.sides import SOURCE, TARGET, CopyError, Side

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Difference(CopyError):
    """The databases differ; the message names the table and the first id."""


@dataclass(frozen=True, slots=True)
class Content:
    """What both databases hold; ``sha256`` is of the rows in their one form, each as JSON with a comma behind it."""

    rows: int
    sha256: str


def same_content(
    source: Side, target: Side, table: Table, advance: Callable[[int], None], *, upto: int | None = None
) -> Content:
    """Reads the rows of both, as far as the id ``upto`` when one is given.

    Raises:
        Difference: at the first row that is not the same in both.
    """
    checksum = hashlib.sha256()
    count = 0
    nothing: list[Row] = []
    with closing(partitions(source, table, upto=upto)) as ours, closing(partitions(target, table, upto=upto)) as theirs:
        for part, other in zip_longest(ours, theirs, fillvalue=nothing):
            if part != other:
                raise Difference(_first_difference(table, part, other))
            checksum.update(f"{_ENCODE(part)[1:-1]},".encode())
            count += len(part)
            advance(len(part))
    target.connection.rollback()
    return Content(count, checksum.hexdigest())


def _first_difference(table: Table, part: list[Row], other: list[Row]) -> str:
    row, found = next((row, found) for row, found in zip_longest(part, other) if row != found)
    if row is not None and found is not None and row[0] == found[0]:
        names = [column.name for column, a, b in zip(table.columns, row, found, strict=True) if a != b]
        return f"{table.name}, id {row[0]} differs in {', '.join(names)}"
    if found is None or (row is not None and _id(row) < _id(found)):
        return f"{table.name}, id {row[0]} is in {SOURCE} alone"
    return f"{table.name}, id {found[0]} is in {TARGET} alone"


def _id(row: Row) -> int:
    return int(row[0] or 0)
