"""Drops the unique constraint on rules.uuid that repeats the unique index; on SQLite a rule's id is never used again.

An id that is given to another rule while a worker still runs the old one would put evidence on the wrong rule.
"""

from alembic import op

from bastion.extensions import Base

revision = "002_one_uuid_index"
down_revision = "001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table(
        "rules", naming_convention=Base.metadata.naming_convention, table_kwargs={"sqlite_autoincrement": True}
    ) as rules:
        rules.drop_constraint("rules_uuid_key", type_="unique")


def downgrade() -> None:
    with op.batch_alter_table("rules") as rules:
        rules.create_unique_constraint("rules_uuid_key", ["uuid"])
