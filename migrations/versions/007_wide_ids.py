"""Ids that do not run out on PostgreSQL; SQLite's have 64 bits from the start."""

import sqlalchemy as sa
from alembic import op

revision = "007_wide_ids"
down_revision = "006_keep_evidence"
branch_labels = None
depends_on = None

IDS = (
    ("rules", "id"),
    ("events", "id"),
    ("rule_triggers", "id"),
    ("rule_triggers", "event_id"),
    ("rule_triggers", "rule_id"),
)


def upgrade() -> None:
    retype(sa.Integer(), sa.BigInteger())


def downgrade() -> None:
    retype(sa.BigInteger(), sa.Integer())


def retype(old: sa.types.TypeEngine, new: sa.types.TypeEngine) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, column in IDS:
        op.alter_column(table, column, existing_type=old, type_=new)
    for table in ("rules", "events", "rule_triggers"):
        kind = "bigint" if isinstance(new, sa.BigInteger) else "integer"
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS {kind}")
