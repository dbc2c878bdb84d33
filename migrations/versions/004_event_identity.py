"""What an event gains: an identity that is known before it is stored, its origin, its cost, its text's hash."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from uuid_utils import uuid7

from bastion.models import Json

revision = "004_event_identity"
down_revision = "003_rule_life"
branch_labels = None
depends_on = None

COLUMNS = ("source", "direction", "duration_us", "prompt_sha256", "context")
BATCH = 5000


def upgrade() -> None:
    op.add_column("events", sa.Column("uid", sa.String(36)))
    op.add_column("events", sa.Column("source", sa.String(100)))
    op.add_column("events", sa.Column("direction", sa.String(10)))
    op.add_column("events", sa.Column("duration_us", sa.BigInteger))
    op.add_column("events", sa.Column("prompt_sha256", sa.String(64)))
    op.add_column("events", sa.Column("context", Json))
    give_uids()
    with op.batch_alter_table("events") as events:
        events.alter_column("uid", existing_type=sa.String(36), nullable=False)
    op.create_index("ix_events_uid", "events", ["uid"], unique=True)


def give_uids() -> None:
    """Events that were there before get a uid that sorts by their own time."""
    events = sa.table(
        "events", sa.column("id", sa.BigInteger), sa.column("timestamp", sa.DateTime), sa.column("uid", sa.String)
    )
    connection = op.get_bind()
    last = 0
    page = sa.select(events.c.id, events.c.timestamp).order_by(events.c.id).limit(BATCH)
    while rows := connection.execute(page.where(events.c.id > last)).all():
        connection.execute(
            sa.update(events).where(events.c.id == sa.bindparam("row")).values(uid=sa.bindparam("given")),
            [{"row": row.id, "given": uid_at(row.timestamp)} for row in rows],
        )
        last = rows[-1].id


def uid_at(timestamp: datetime) -> str:
    since_epoch = timestamp.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return str(uuid7(nanoseconds=max(0, since_epoch // timedelta(microseconds=1) * 1000)))


def downgrade() -> None:
    op.drop_index("ix_events_uid", "events")
    with op.batch_alter_table("events") as events:
        for name in (*reversed(COLUMNS), "uid"):
            events.drop_column(name)
