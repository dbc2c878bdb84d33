"""What an event gains: an identity that is known before it is stored, its origin, its cost, its text's hash.

On PostgreSQL it is several transactions, so that events can be read and written while those that were there get their
identities; all of it can be done again after an interruption. A database that AIDR Bastion's server made itself also
gets the type and the default that its events lack.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from uuid_utils import uuid7

from bastion.models import Json
from bastion.schema.batches import batches, say_long
from bastion.schema.concurrently import build_index, outside_transactions

revision = "004_event_identity"
down_revision = "003_rule_life"
branch_labels = None
depends_on = None

ADDED = {"events": ("uid", "source", "direction", "duration_us", "prompt_sha256", "context")}
INDEX = "ix_events_uid"
UID = sa.String(36)
NOW = sa.text("CURRENT_TIMESTAMP")

# A random UUID of version 4, made one of version 7 (RFC 9562): the first 48 bits are milliseconds since 1970.
POSTGRES_UID = """CAST(CAST(
    lpad(to_hex(CAST(greatest(0, floor(extract(epoch FROM "timestamp") * 1000)) AS bigint)), 12, '0') || '7'
    || substr(replace(CAST(gen_random_uuid() AS text), '-', ''), 14) AS uuid) AS text)"""


def columns() -> list[sa.Column]:
    return [
        sa.Column("uid", UID),
        sa.Column("source", sa.String(100)),
        sa.Column("direction", sa.String(10)),
        sa.Column("duration_us", sa.BigInteger),
        sa.Column("prompt_sha256", sa.String(64)),
        sa.Column("context", Json),
    ]


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        upgrade_postgresql()
    else:
        upgrade_sqlite()


def upgrade_postgresql() -> None:
    for column in columns():
        op.add_column("events", column, if_not_exists=True)
    op.alter_column("events", "timestamp", existing_type=sa.DateTime(), server_default=NOW)
    with outside_transactions():
        if op.get_context().as_sql:
            fill(POSTGRES_UID)
        else:
            for batch in batches(op.get_bind(), "events", "giving events their uid"):
                fill(POSTGRES_UID, **batch)
        build_index(INDEX, "events", ["uid"], unique=True)
    # Those that were recorded meanwhile.
    fill(POSTGRES_UID)
    op.alter_column("events", "uid", existing_type=UID, nullable=False)


def upgrade_sqlite() -> None:
    connection = op.get_bind()
    for column in columns():
        op.add_column("events", column)
    connection.connection.driver_connection.create_function("uid_at", 1, uid_at)
    for batch in batches(connection, "events", "giving events their uid"):
        fill('uid_at("timestamp")', **batch)
    say_long(connection, "events", "copying")
    with op.batch_alter_table("events") as events:
        events.alter_column("uid", existing_type=UID, nullable=False)
        events.alter_column("pipeline_results", existing_type=sa.JSON(), type_=sa.Text())
        events.alter_column("timestamp", existing_type=sa.DateTime(), server_default=NOW)
    op.create_index(INDEX, "events", ["uid"], unique=True)


def fill(uid: str, after: int | None = None, upto: int | None = None) -> None:
    rows = "" if after is None else f" AND id > {after} AND id <= {upto}"
    op.execute(f"UPDATE events SET uid = {uid} WHERE uid IS NULL{rows}")


def uid_at(timestamp: str) -> str:
    """A UUID that sorts by the time, which SQLite holds as text in UTC; by now, if it is none."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except (TypeError, ValueError):
        return str(uuid7())
    since_epoch = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return str(uuid7(nanoseconds=max(0, since_epoch // timedelta(microseconds=1) * 1000)))


def downgrade() -> None:
    op.drop_index(INDEX, "events")
    with op.batch_alter_table("events") as events:
        for name in reversed(ADDED["events"]):
            events.drop_column(name)
