"""What the databases remember of ids beside the rows: no id may be given a second time after a copy."""

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from bastion.services.copying.rows import untyped


def highest_given(connection: Connection, table: Table) -> int:
    """The highest id that is known to have been given, be its row there or gone; 0 for none."""
    known = connection.scalar(sa.select(sa.func.max(untyped(table).c.id))) or 0
    if connection.dialect.name == "postgresql":
        counted = "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:table, 'id') AS regclass))"
    elif table.dialect_options["sqlite"]["autoincrement"]:
        counted = "SELECT max(seq) FROM sqlite_sequence WHERE name = :table"
    else:
        return int(known)
    return max(int(known), connection.scalar(sa.text(counted), {"table": table.name}) or 0)


def set_highest_given(connection: Connection, table: Table, highest: int) -> None:
    """Makes the next id a larger one. SQLite has such a counter for the rules alone."""
    given = {"table": table.name, "highest": highest}
    if connection.dialect.name == "postgresql":
        moved = "SELECT setval(pg_get_serial_sequence(:table, 'id'), greatest(:highest, 1), :highest > 0)"
        connection.execute(sa.text(moved), given)
    elif table.dialect_options["sqlite"]["autoincrement"]:
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :table"), given)
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :highest)"), given)
