"""Rows in one form, whichever database they are in.

Integers and texts as they are; truth as 0 or 1; times as UTC text with microseconds; JSON as the text that was
stored, which keeps its order, its numbers' spelling and the difference between ``null`` and no value.
"""

from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table, TableClause
from sqlalchemy.exc import DBAPIError

from bastion.models import Json, UtcDateTime
from bastion.services.copying.sides import CopyError, Side, naming

FETCHED: Final = 100
"""Rows held at once while reading: each may have more than a MiB."""

Value = str | int | None
Row = tuple[Value, ...]
"""The values in the order of the table's columns, of which ``id`` is the first."""

Reader = Callable[[Sequence[Any]], Sequence[Value]]
"""Puts one column's values into their form; raises ``ValueError`` saying what a value is not."""

Statement = TypeVar("Statement", bound=sa.Select[Any])


@cache
def untyped(table: Table) -> TableClause:
    """The table without the models' types, so that the driver's values are neither read nor written otherwise."""
    return sa.table(table.name, *(sa.column(column.name) for column in table.columns))


def between(statement: Statement, table: Table, after: int | None, upto: int | None) -> Statement:
    """The statement for the rows with ``after < id <= upto``."""
    key = untyped(table).c.id
    if after is not None:
        statement = statement.where(key > after)
    return statement if upto is None else statement.where(key <= upto)


def partitions(side: Side, table: Table, *, after: int | None = None, upto: int | None = None) -> Generator[list[Row]]:
    """The rows with ``after < id <= upto`` in the order of their ids, a few at a time.

    Raises:
        CopyError: naming table, id and column of a value that has no such form.
    """
    stored = untyped(table)
    expressions = (_expression(side, column) for column in table.columns)
    statement = between(sa.select(*expressions).select_from(stored), table, after, upto).order_by(stored.c.id)
    last = after
    try:
        with side.connection.execute(statement, execution_options={"yield_per": FETCHED}) as result:
            for part in result.partitions():
                rows = _canonical(side, table, part)
                yield rows
                last = int(rows[-1][0] or 0)
    except (DBAPIError, UnicodeDecodeError):
        _name_unreadable(side, table, last)
        with naming(side.name):
            raise


def _expression(side: Side, column: sa.Column[Any]) -> ColumnElement[Any]:
    stored = untyped(column.table).c[column.name]
    match column.type:
        case Json():
            # AIDR Bastion's server declares JSON on SQLite, which then keeps a lone number as one.
            return sa.cast(stored, sa.Text)
        case UtcDateTime() if side.is_postgresql:
            return sa.cast(stored, sa.Text)
        case sa.Boolean() if side.is_postgresql:
            return sa.cast(stored, sa.Integer)
        case _:
            return stored


def _canonical(side: Side, table: Table, rows: Sequence[sa.Row[Any]]) -> list[Row]:
    columns = list(zip(*rows, strict=True))
    try:
        read = [_reader(column)(values) for column, values in zip(table.columns, columns, strict=True)]
    except ValueError:
        raise _odd_value(side, table, rows) from None
    return list(zip(*read, strict=True))


def _reader(column: sa.Column[Any]) -> Reader:
    match column.type:
        case UtcDateTime():
            return _times
        case sa.Boolean():
            return _truths
        case sa.Integer():
            return _integers
        case _:
            return _texts


def _integers(values: Sequence[Any]) -> Sequence[Value]:
    if not set(map(type, values)) <= {int, type(None)}:
        raise ValueError("is no integer")
    return values


def _texts(values: Sequence[Any]) -> Sequence[Value]:
    if not set(map(type, values)) <= {str, type(None)}:
        raise ValueError("is no text")
    return values


def _truths(values: Sequence[Any]) -> Sequence[Value]:
    if not set(values) <= {0, 1, None}:
        raise ValueError("is neither 0 nor 1")
    return values


def _times(values: Sequence[Any]) -> Sequence[Value]:
    return [None if value is None else _time(value) for value in values]


def _time(value: Any) -> str:
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is not None:
            read = read.astimezone(UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("is no time of the years 1 to 9999") from None
    return read.isoformat(sep=" ", timespec="microseconds")


def _odd_value(side: Side, table: Table, rows: Sequence[sa.Row[Any]]) -> CopyError:
    for row in rows:
        for column, value in zip(table.columns, row, strict=True):
            try:
                _reader(column)([value])
            except ValueError as error:
                return CopyError(
                    f"{side.name}: {table.name}, id {row[0]}, column {column.name}: {error}: {value!r:.80}"
                )
    raise AssertionError("every value can be read alone, and not together")


def _name_unreadable(side: Side, table: Table, after: int | None) -> None:
    """Reads one value at a time to find the one that the driver cannot decode; raises ``CopyError`` for it."""
    key = untyped(table).c.id
    with naming(side.name):
        side.connection.rollback()
        ids = side.connection.scalars(between(sa.select(key), table, after, None).order_by(key).limit(FETCHED)).all()
        for row_id, column in product(ids, table.columns):
            try:
                side.connection.scalar(sa.select(_expression(side, column)).where(key == row_id))
            except (DBAPIError, UnicodeDecodeError):
                place = f"{table.name}, id {row_id}, column {column.name}"
                raise CopyError(f"{side.name}: {place}: is no text in the database's encoding") from None
