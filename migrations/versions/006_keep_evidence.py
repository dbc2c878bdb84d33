"""A rule that has triggers can no longer be deleted with a side effect: the triggers are evidence.

A database that AIDR Bastion's server made itself also gets the default that its triggers lack.
"""

import sqlalchemy as sa
from alembic import op

from bastion.extensions import Base
from bastion.schema.batches import say_long

revision = "006_keep_evidence"
down_revision = "005_trigger_evidence"
branch_labels = None
depends_on = None

NAME = "rule_triggers_rule_id_fkey"


def upgrade() -> None:
    replace("RESTRICT")


def downgrade() -> None:
    replace("CASCADE")


def replace(ondelete: str) -> None:
    if op.get_context().dialect.name == "sqlite":
        say_long(op.get_bind(), "rule_triggers", "copying")
    with op.batch_alter_table("rule_triggers", naming_convention=Base.metadata.naming_convention) as triggers:
        triggers.drop_constraint(NAME, type_="foreignkey")
        triggers.create_foreign_key(NAME, "rules", ["rule_id"], ["id"], ondelete=ondelete)
        triggers.alter_column(
            "timestamp",
            existing_type=sa.DateTime(),
            server_default=sa.text("CURRENT_TIMESTAMP"),
            existing_nullable=False,
        )
