"""Rules, events and rule triggers, as AIDR Bastion's revision of the same id creates them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "001_initial"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.text("CURRENT_TIMESTAMP")
ADDED = {"rules": (), "events": (), "rule_triggers": ()}


def upgrade() -> None:
    json = postgresql.JSON() if op.get_context().dialect.name == "postgresql" else sa.Text()
    op.create_table(
        "rules",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("language", sa.String(100), nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("severity", sa.String(50)),
        sa.Column("category", sa.String(100)),
        sa.Column("cwe_id", sa.String(50)),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime, nullable=False, server_default=NOW),
        sa.Column("updated_at", sa.DateTime, nullable=False, server_default=NOW),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index("ix_rules_uuid", "rules", ["uuid"], unique=True)

    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task_id", sa.String(255)),
        sa.Column("prompt", sa.Text),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("flow_name", sa.String(100), nullable=False),
        sa.Column("pipeline_results", json),
        sa.Column("timestamp", sa.DateTime, nullable=False, server_default=NOW),
    )
    for column in ("flow_name", "status", "task_id", "timestamp"):
        op.create_index(f"ix_events_{column}", "events", [column])

    op.create_table(
        "rule_triggers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event_id", sa.Integer, sa.ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
        sa.Column("rule_id", sa.Integer, sa.ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
        sa.Column("matched_text", sa.Text),
        sa.Column("pipeline_name", sa.String(100), nullable=False),
        sa.Column("timestamp", sa.DateTime, nullable=False, server_default=NOW),
    )
    for column in ("event_id", "rule_id", "timestamp"):
        op.create_index(f"ix_rule_triggers_{column}", "rule_triggers", [column])


def downgrade() -> None:
    op.drop_table("rule_triggers")
    op.drop_table("events")
    op.drop_table("rules")
