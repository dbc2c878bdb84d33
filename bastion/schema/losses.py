"""What a downgrade takes away, named before it goes."""

import sys
from collections.abc import Mapping, Sequence

import click
import sqlalchemy as sa
from alembic.runtime.migration import MigrationStep, RevisionStep
from sqlalchemy import Connection

from bastion.errors import SchemaError

Added = Mapping[str, Sequence[str]]
"""A revision's ``ADDED``: the columns that it adds to each table, and none for a table that it makes."""


def name_losses(connection: Connection, steps: Sequence[MigrationStep]) -> None:
    """Prints how many values each step back takes away, and on a terminal asks whether to go on.

    Raises:
        SchemaError: when the answer is no.
    """
    lost = [
        (step.revision.revision, line)
        for step in steps
        if isinstance(step, RevisionStep) and step.is_downgrade
        for line in _lines(connection, getattr(step.revision.module, "ADDED", {}))
    ]
    connection.rollback()
    if not lost:
        return
    click.echo("An older schema has no place for these. They will be gone:")
    for revision, line in lost:
        click.echo(f"  {revision}: {line}")
    if sys.stdin.isatty() and sys.stdout.isatty() and not click.confirm("Go on?"):
        raise SchemaError("nothing was changed")


def _lines(connection: Connection, added: Added) -> list[str]:
    inspector = sa.inspect(connection)
    lines = []
    for table, names in added.items():
        if not inspector.has_table(table):
            continue
        if not names:
            rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table)))
            lines += [f"table {table}, {rows:,} rows"] if rows else []
            continue
        there = {column["name"] for column in inspector.get_columns(table)}
        present = [name for name in names if name in there]
        if not present:
            continue
        counts = connection.execute(
            sa.select(*(sa.func.count(sa.column(name)) for name in present)).select_from(sa.table(table))
        ).one()
        lines += [f"{table}.{name}, {count:,} values" for name, count in zip(present, counts, strict=True) if count]
    return lines
