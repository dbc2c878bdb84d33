"""A database as AIDR Bastion's server makes it when it starts: its models and ``create_all()``, without a mark."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

METADATA = sa.MetaData()

RULES = sa.Table(
    "rules",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(255), unique=True, index=True, nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("language", sa.String(100), nullable=False),
    sa.Column("pattern", sa.Text, nullable=False),
    sa.Column("action", sa.String(50), nullable=False),
    sa.Column("severity", sa.String(50)),
    sa.Column("category", sa.String(100)),
    sa.Column("cwe_id", sa.String(50)),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
)

EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.String(255), index=True),
    sa.Column("prompt", sa.Text),
    sa.Column("status", sa.String(50), nullable=False, index=True),
    sa.Column("flow_name", sa.String(100), nullable=False, index=True),
    # PostgreSQL's type on every database: SQLite takes its name for the column's type.
    sa.Column("pipeline_results", JSON),
    sa.Column("timestamp", sa.DateTime, nullable=False, index=True),
)

TRIGGERS = sa.Table(
    "rule_triggers",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Integer, sa.ForeignKey("events.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("rule_id", sa.Integer, sa.ForeignKey("rules.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("matched_text", sa.Text),
    sa.Column("pipeline_name", sa.String(100), nullable=False),
    sa.Column("timestamp", sa.DateTime, nullable=False, index=True),
)

RULE = {
    "uuid": "a12d86d8-d96a-41fa-9e9a-18231539cfde",
    "name": "Instruction Overriding",
    "details": "Orders the model to forget what it was told.",
}
RESULTS = {
    "status": "block",
    "pipelines": [
        {
            "status": "block",
            "name": "Rule Pipeline",
            "triggered_rules": [
                {
                    "details": RULE["details"],
                    "action": "block",
                    "id": RULE["uuid"],
                    "name": RULE["name"],
                    "body": "(?i)forget everything",
                    "severity": None,
                    "cwe_id": None,
                }
            ],
        }
    ],
}
