"""Indexes for one event and for judging: events of the same text, and what was judged when."""

import sqlalchemy as sa
from alembic import op

from bastion.schema.batches import say_long
from bastion.schema.concurrently import build_index, outside_transactions

revision = "013_judging_indexes"
down_revision = "012_source_index"
branch_labels = None
depends_on = None

SAME_TEXT = "ix_events_prompt_sha256_id"
JUDGED = "ix_rule_triggers_reviewed_at"
"""Of the judged alone: most triggers never are."""


def upgrade() -> None:
    is_judged = sa.text("reviewed_at IS NOT NULL")
    if op.get_context().dialect.name == "postgresql":
        with outside_transactions():
            build_index(SAME_TEXT, "events", ["prompt_sha256", "id"])
            op.drop_index(JUDGED, "rule_triggers", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                JUDGED, "rule_triggers", ["reviewed_at"], postgresql_where=is_judged, postgresql_concurrently=True
            )
    else:
        say_long(op.get_bind(), "events", f"building {SAME_TEXT} on")
        op.create_index(SAME_TEXT, "events", ["prompt_sha256", "id"])
        op.create_index(JUDGED, "rule_triggers", ["reviewed_at"], sqlite_where=is_judged)


def downgrade() -> None:
    op.drop_index(JUDGED, "rule_triggers")
    op.drop_index(SAME_TEXT, "events")
