"""Indexes on PostgreSQL that are built while others write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from alembic import op

from bastion.schema.batches import say_long
from bastion.schema.connections import LOCK_SECONDS


@contextmanager
def outside_transactions() -> Iterator[None]:
    """What is done in here is committed at once, and so is what the revision did before; it must bear repeating."""
    migration = op.get_context()
    with migration.autocommit_block():
        if migration.as_sql:
            yield
            return
        # Building waits for every transaction that is open, however long it takes; nobody waits behind it.
        op.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            op.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")


def build_index(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """Builds an index, or builds it anew: an interruption leaves one that is there and not valid."""
    if not op.get_context().as_sql:
        say_long(op.get_bind(), table, f"building {name} on")
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
    op.create_index(name, table, columns, unique=unique, postgresql_concurrently=True)
