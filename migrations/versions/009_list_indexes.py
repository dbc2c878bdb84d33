"""Indexes in the order of the lists: newest first, within a filter."""

from alembic import op

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
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _columns in reversed(INDEXES):
        op.drop_index(name, table)
