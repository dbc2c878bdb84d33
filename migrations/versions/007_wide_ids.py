"""Ids that do not run out on PostgreSQL; SQLite's have 64 bits from the start."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

from bastion.schema.batches import say_long

revision = "007_wide_ids"
down_revision = "006_keep_evidence"
branch_labels = None
depends_on = None

RETYPES = True

IDS = {"rules": ("id",), "events": ("id",), "rule_triggers": ("id", "event_id", "rule_id")}
LARGEST_INTEGER = 2**31 - 1


def upgrade() -> None:
    retype("bigint")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql" and not op.get_context().as_sql:
        refuse_large_ids()
    retype("integer")


def retype(kind: str) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, names in IDS.items():
        if not op.get_context().as_sql:
            say_long(op.get_bind(), table, "copying")
        # One statement: each writes the whole table anew.
        changes = [f"ALTER COLUMN {name} TYPE {kind}" for name in names]
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS {kind}")


def refuse_large_ids() -> None:
    for table in IDS:
        largest = op.get_bind().scalar(sa.text(f"SELECT max(id) FROM {table}"))
        if largest and largest > LARGEST_INTEGER:
            raise CommandError(
                f"{table} has ids up to {largest:,}, and {down_revision} holds none above {LARGEST_INTEGER:,}: "
                "this database cannot go back further than this"
            )
