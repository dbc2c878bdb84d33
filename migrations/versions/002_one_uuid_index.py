"""Drops the unique constraint on rules.uuid that repeats the unique index."""

from alembic import op

from bastion.extensions import Base

revision = "002_one_uuid_index"
down_revision = "001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("rules", naming_convention=Base.metadata.naming_convention) as rules:
        rules.drop_constraint("rules_uuid_key", type_="unique")


def downgrade() -> None:
    with op.batch_alter_table("rules") as rules:
        rules.create_unique_constraint("rules_uuid_key", ["uuid"])
