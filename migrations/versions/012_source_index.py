"""The index of the events of one calling application, newest first."""

from alembic import op

from bastion.schema.batches import say_long
from bastion.schema.concurrently import build_index, outside_transactions

revision = "012_source_index"
down_revision = "011_rule_validator"
branch_labels = None
depends_on = None

NAME = "ix_events_source_timestamp_id"
COLUMNS = ["source", "timestamp", "id"]


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        with outside_transactions():
            build_index(NAME, "events", COLUMNS)
    else:
        say_long(op.get_bind(), "events", f"building {NAME} on")
        op.create_index(NAME, "events", COLUMNS)


def downgrade() -> None:
    op.drop_index(NAME, "events")
