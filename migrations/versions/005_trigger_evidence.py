"""What a trigger gains: the rule as it was when it fired, where it matched, and an analyst's judgement."""

import sqlalchemy as sa
from alembic import op

from bastion.models import Json, UtcDateTime

revision = "005_trigger_evidence"
down_revision = "004_event_identity"
branch_labels = None
depends_on = None

ADDED = {
    "rule_triggers": (
        *("rule_version", "action", "severity", "spans", "view"),
        *("disposition", "note", "reviewed_by", "reviewed_at"),
    )
}


def upgrade() -> None:
    for column in (
        sa.Column("rule_version", sa.Integer),
        sa.Column("action", sa.String(50)),
        sa.Column("severity", sa.String(50)),
        sa.Column("spans", Json),
        sa.Column("view", sa.String(50)),
        sa.Column("disposition", sa.String(50)),
        sa.Column("note", sa.Text),
        sa.Column("reviewed_by", sa.String(255)),
        sa.Column("reviewed_at", UtcDateTime),
    ):
        op.add_column("rule_triggers", column)


def downgrade() -> None:
    with op.batch_alter_table("rule_triggers") as triggers:
        for name in reversed(ADDED["rule_triggers"]):
            triggers.drop_column(name)
