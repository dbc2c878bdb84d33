"""All rows from one database into another, which may be of the other kind.

The copy is of the source as it was at one moment, goes on where an earlier one was interrupted, and is held to the
source at its end, row by row.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Table

from bastion.extensions import Base
from bastion.services.copying.comparing import Content, Difference, same_content
from bastion.services.copying.counters import highest_given, set_highest_given
from bastion.services.copying.loading import load
from bastion.services.copying.rows import Row, between, partitions, untyped
from bastion.services.copying.sides import (
    ANOTHER,
    SAME,
    SOURCE,
    TARGET,
    CopyError,
    Migrate,
    Side,
    naming,
    opened_source,
    opened_target,
)

__all__ = ["Bar", "Copied", "CopyError", "copy_database"]

# In an order in which every row finds the rows that it refers to.
TABLES: Final = tuple(Base.metadata.tables[name] for name in ("rules", "events", "rule_triggers"))

BATCH_ROWS: Final = 10_000
"""Rows committed at once. Of 2,000 rows SQLite writes the pages of each index five times as often."""

BATCH_CHARACTERS: Final = 16 * 1024 * 1024
"""Text that is enough for a batch, however few rows it is: prompts may be of a MiB each."""

Bar = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]
"""Shows how far a work of so many rows and such a name is; what it gives is called with the rows that are done."""


@dataclass(frozen=True, slots=True)
class Copied:
    """One table, the same in both databases; ``new`` rows came by this copy, the others by an earlier one."""

    table: str
    new: int
    content: Content


def copy_database(from_url: str, to_url: str, migrate: Migrate, bar: Bar) -> list[Copied]:
    """Copies what the target does not have yet and compares everything. The source is only read.

    Raises:
        CopyError: when the target is neither empty nor the beginning of this copy (then nothing was changed), when a
            row cannot be copied, or when a database fails; what was copied by then stays, and a next copy goes on.
    """
    if from_url == to_url:
        raise CopyError(SAME)
    with opened_source(from_url) as source, opened_target(to_url, source, migrate) as target:
        present = {table: _highest(target, table) for table in TABLES}
        for table, upto in present.items():
            _check_beginning(source, target, table, upto, bar)
        new = {table: _copy_table(source, target, table, upto, bar) for table, upto in present.items()}
        _carry_counters(source, target)
        try:
            return [Copied(table.name, new[table], _compared(source, target, table, bar)) for table in TABLES]
        except Difference as difference:
            raise CopyError(
                f"the copy is not what {SOURCE} holds: {difference}. Did somebody write to {TARGET}?"
            ) from None


def _highest(target: Side, table: Table) -> int | None:
    with naming(target.name), target.connection.begin():
        highest: int | None = target.connection.scalar(sa.select(sa.func.max(untyped(table).c.id)))
    return highest


def _check_beginning(source: Side, target: Side, table: Table, upto: int | None, bar: Bar) -> None:
    if upto is None:
        return
    try:
        with bar(_count(source, table, upto=upto), f"Checking the {table.name} that are there") as advance:
            same_content(source, target, table, advance, upto=upto)
    except Difference as difference:
        raise CopyError(
            f"{TARGET} does not hold the beginning of a copy of {SOURCE}: {difference}. Nothing was changed: {ANOTHER}"
        ) from None


def _copy_table(source: Side, target: Side, table: Table, after: int | None, bar: Bar) -> int:
    total = _count(source, table, after=after)
    with bar(total, f"Copying {table.name}") as advance, closing(partitions(source, table, after=after)) as parts:
        for batch in _batches(parts):
            load(target, table, batch)
            advance(len(batch))
    return total


def _batches(parts: Iterator[list[Row]]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    characters = 0
    for part in parts:
        batch += part
        characters += sum(len(value) for row in part for value in row if isinstance(value, str))
        if len(batch) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _carry_counters(source: Side, target: Side) -> None:
    for table in TABLES:
        with naming(source.name):
            highest = highest_given(source.connection, table)
        with naming(target.name), target.connection.begin():
            highest = max(highest, highest_given(target.connection, table))
            set_highest_given(target.connection, table, highest)


def _compared(source: Side, target: Side, table: Table, bar: Bar) -> Content:
    with bar(_count(source, table), f"Comparing {table.name}") as advance:
        return same_content(source, target, table, advance)


def _count(source: Side, table: Table, *, after: int | None = None, upto: int | None = None) -> int:
    counted = between(sa.select(sa.func.count()).select_from(untyped(table)), table, after, upto)
    with naming(source.name):
        return source.connection.scalar(counted) or 0
