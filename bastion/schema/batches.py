"""What revisions need when they change many rows: bounded statements, and word of how far they are."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypedDict

import click
import sqlalchemy as sa
from sqlalchemy import Connection

ROWS: Final = 20_000
"""Rows that one statement changes."""

MANY_ROWS: Final = 100_000
"""From here on copying a table takes seconds."""

_QUIET_SECONDS: Final = 2.0


class Batch(TypedDict):
    """The rows with ``after < id <= upto``: parameters of a statement."""

    after: int
    upto: int


def batches(connection: Connection, table: str, label: str) -> Iterator[Batch]:
    """All rows of a table by their ids, piece by piece; whoever takes the next piece is done with the one before."""
    chosen = sa.table(table, sa.column("id"))
    total = connection.scalar(sa.select(sa.func.count()).select_from(chosen)) or 0
    with _counting(total, label) as advance:
        after = (connection.scalar(sa.select(sa.func.min(chosen.c.id))) or 1) - 1
        while True:
            page = sa.select(chosen.c.id).where(chosen.c.id > after).order_by(chosen.c.id).limit(ROWS).subquery()
            rows, upto = connection.execute(sa.select(sa.func.count(), sa.func.max(page.c.id)).select_from(page)).one()
            if not rows:
                return
            yield Batch(after=after, upto=upto)
            advance(rows)
            after = upto


@contextmanager
def _counting(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere a line for every tenth, once it takes longer than a person would wait."""
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            yield bar.update
        return
    started = time.monotonic()
    done = told = 0

    def advance(rows: int) -> None:
        nonlocal done, told
        done += rows
        tenth = done * 10 // total if total else 10
        if tenth > told and time.monotonic() - started > _QUIET_SECONDS:
            told = tenth
            click.echo(f"{label}: {min(done, total):,} of {total:,} rows")

    yield advance


def say_long(connection: Connection, table: str, what: str) -> None:
    """Says that one long statement begins, where the table is large enough for that to matter."""
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table))) or 0
    if rows >= MANY_ROWS:
        click.echo(f"{what} {table}, {rows:,} rows in one go")
