"""Times on PostgreSQL carry their zone; the naive ones that were there are UTC. On SQLite all have fractions."""

import sqlalchemy as sa
from alembic import op

revision = "008_times_with_zone"
down_revision = "007_wide_ids"
branch_labels = None
depends_on = None

TIMES = (
    ("rules", "created_at"),
    ("rules", "updated_at"),
    ("events", "timestamp"),
    ("rule_triggers", "timestamp"),
)


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        give_fractions()
    retype(sa.DateTime(timezone=True))


def give_fractions() -> None:
    """SQLite compares times as text, and its CURRENT_TIMESTAMP writes no fraction, which all others have."""
    for table, column in TIMES:
        op.execute(f'UPDATE {table} SET "{column}" = "{column}" || \'.000000\' WHERE length("{column}") = 19')


def downgrade() -> None:
    retype(sa.DateTime(timezone=False))


def retype(new: sa.DateTime) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, column in TIMES:
        op.alter_column(
            table,
            column,
            existing_type=sa.DateTime(timezone=not new.timezone),
            type_=new,
            postgresql_using=f"\"{column}\" AT TIME ZONE 'UTC'",
        )
