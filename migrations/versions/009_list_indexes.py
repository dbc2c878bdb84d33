"""Indexes in the order of the lists: newest first, within a filter."""

from alembic import op

from bastion.schema.batches import say_long
from bastion.schema.concurrently import build_index, outside_transactions

revision = "009_list_indexes"
down_revision = "008_times_with_zone"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_events_timestamp_id", "events", ["timestamp", "id"]),
    ("ix_events_status_timestamp_id", "events", ["status", "timestamp", "id"]),
    ("ix_events_flow_name_timestamp_id", "events", ["flow_name", "timestamp", "id"]),
    ("ix_rule_triggers_timestamp_id", "rule_triggers", ["timestamp", "id"]),
    ("ix_rule_triggers_rule_id_timestamp_id", "rule_triggers", ["rule_id", "timestamp", "id"]),
)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        with outside_transactions():
            for name, table, columns in INDEXES:
                build_index(name, table, columns)
            # Types that changed lost their statistics, and the lists' plans come from them.
            op.execute("ANALYZE rules, events, rule_triggers")
    else:
        for name, table, columns in INDEXES:
            say_long(op.get_bind(), table, f"building {name} on")
            op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _columns in reversed(INDEXES):
        op.drop_index(name, table)
