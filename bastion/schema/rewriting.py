"""Changing the table of rules on SQLite, which means copying it, without giving an id twice."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from bastion.extensions import Base


@contextmanager
def altered_rules() -> Iterator[BatchOperations]:
    """A batch on ``rules`` that keeps AUTOINCREMENT, which reflection does not see, and the highest id ever given."""
    sqlite = op.get_context().dialect.name == "sqlite"
    highest = _highest() if sqlite else 0
    with op.batch_alter_table(
        "rules",
        naming_convention=Base.metadata.naming_convention,  # type: ignore[arg-type]
        table_kwargs={"sqlite_autoincrement": True},
    ) as rules:
        yield rules
    if sqlite:
        # Only an insert makes the row, and a table without rows was copied without one.
        connection = op.get_bind()
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'rules'"))
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('rules', :seq)"), {"seq": highest})


def _highest() -> int:
    """The highest id ever given to a rule, as far as the database knows."""
    connection = op.get_bind()
    known = connection.scalar(sa.text("SELECT max(id) FROM rules")) or 0
    if sa.inspect(connection).has_table("sqlite_sequence"):
        known = max(known, connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'rules'")) or 0)
    return int(known)
