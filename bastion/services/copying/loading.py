"""Rows into the target: a batch is there whole or not at all."""

import io
import json
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from bastion.models import Json
from bastion.services.copying.rows import Row, Value, untyped
from bastion.services.copying.sides import SOURCE, TARGET, CopyError, Side, first_line

_32_BITS: Final = range(-(2**31), 2**31)
_STAYS: Final = f"What was copied before stays in {TARGET}"


def load(target: Side, table: Table, rows: list[Row]) -> None:
    """Stores the rows and commits.

    Raises:
        CopyError: naming table, id and column of the first value that the target cannot hold.
    """
    connection = target.connection
    dbapi = connection.dialect.dbapi
    assert dbapi is not None
    try:
        with connection.begin():
            if target.is_postgresql:
                _copy_in(connection, table, rows)
            else:
                _insert(connection, table, rows)
    except (DBAPIError, dbapi.Error) as error:
        raise CopyError(_refusal(target, table, rows, error)) from None


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    connection.exec_driver_sql(str(sa.insert(untyped(table)).compile(dialect=connection.dialect)), rows)


def _copy_in(connection: Connection, table: Table, rows: list[Row]) -> None:
    """By COPY, in PostgreSQL's text format."""
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(column.name) for column in table.columns)
    lines = io.StringIO("".join("\t".join(map(_field, row)) + "\n" for row in rows))
    driver: Any = connection.connection
    with driver.cursor() as cursor:
        cursor.copy_expert(f"COPY {quote(table.name)} ({names}) FROM STDIN", lines)


def _field(value: Value) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, int):
        return str(value)
    return value.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")


def _refusal(target: Side, table: Table, rows: list[Row], error: Exception) -> str:
    dbapi = target.connection.dialect.dbapi
    assert dbapi is not None
    cause = error.orig if isinstance(error, DBAPIError) else error
    misfit = _orphan(target, table, rows) if isinstance(cause, dbapi.IntegrityError) else None
    misfit = misfit or (_misfit(table, rows) if target.is_postgresql else None)
    if misfit is None and isinstance(cause, dbapi.DataError | dbapi.IntegrityError):
        misfit = f"one of the rows with ids {rows[0][0]} to {rows[-1][0]}: {first_line(cause)}"
    if misfit is None:
        return f"{TARGET}: {first_line(cause)}. {_STAYS}: run the same command again"
    return (
        f"{TARGET} cannot hold {table.name}, {misfit}. {_STAYS}, and {SOURCE} is as it was. "
        "Mend the row there and run the same command again"
    )


def _orphan(target: Side, table: Table, rows: list[Row]) -> str | None:
    """The first row that refers to one which is not there."""
    for place, column in enumerate(table.columns):
        for key in column.foreign_keys:
            wanted = {row[place] for row in rows}
            parent = untyped(key.column.table).c[key.column.name]
            with target.connection.begin():
                there = set(target.connection.scalars(sa.select(parent).where(parent.in_(wanted))))
            for row in rows:
                if row[place] not in there:
                    return f"id {row[0]}, column {column.name}: there is no row {row[place]} that it refers to"
    return None


def _misfit(table: Table, rows: list[Row]) -> str | None:
    """The first value that PostgreSQL refuses, in so far as that can be seen without it."""
    for row in rows:
        for column, value in zip(table.columns, row, strict=True):
            if reason := _unfit(column, value):
                return f"id {row[0]}, column {column.name}: {reason}"
    return None


def _unfit(column: sa.Column[Any], value: Value) -> str | None:
    if isinstance(value, int):
        narrow = isinstance(column.type, sa.Integer) and not isinstance(column.type, sa.BigInteger)
        return f"{value} is beyond 32 bits" if narrow and value not in _32_BITS else None
    if value is None:
        return None
    if "\0" in value:
        return "has a NUL character (U+0000)"
    if isinstance(column.type, Json):
        return _not_json(value)
    length = column.type.length if isinstance(column.type, sa.String) else None
    return f"has {len(value)} characters, and {length} fit" if length and len(value) > length else None


def _not_json(value: str) -> str | None:
    try:
        # Numbers may have any size; NaN and Infinity, which Python reads and writes, are none.
        json.loads(value, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except RecursionError:
        return "is JSON that is nested too deeply"
    except ValueError as error:
        return f"is no JSON: {error}"
    return None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")
