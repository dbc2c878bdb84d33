"""The index of a rule's judged triggers, newest first: its precision without a look at those that nobody judged."""

import sqlalchemy as sa
from alembic import op

from bastion.schema.batches import say_long
from bastion.schema.concurrently import outside_transactions

revision = "014_precision_index"
down_revision = "013_judging_indexes"
branch_labels = None
depends_on = None

NAME = "ix_rule_triggers_rule_id_timestamp_disposition"
COLUMNS = ["rule_id", "timestamp", "disposition"]


def upgrade() -> None:
    is_judged = sa.text("disposition IS NOT NULL")
    if op.get_context().dialect.name == "postgresql":
        with outside_transactions():
            op.drop_index(NAME, "rule_triggers", if_exists=True, postgresql_concurrently=True)
            op.create_index(NAME, "rule_triggers", COLUMNS, postgresql_where=is_judged, postgresql_concurrently=True)
    else:
        say_long(op.get_bind(), "rule_triggers", f"building {NAME} on")
        op.create_index(NAME, "rule_triggers", COLUMNS, sqlite_where=is_judged)


def downgrade() -> None:
    op.drop_index(NAME, "rule_triggers")
