"""Times on PostgreSQL carry their zone; the naive ones that were there are UTC."""

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
    retype(sa.DateTime(timezone=True))


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
