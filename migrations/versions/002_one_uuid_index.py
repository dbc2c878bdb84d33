"""Drops the unique constraint on rules.uuid that repeats the unique index; on SQLite a rule's id is never used again.

An id that is given to another rule while a worker still runs the old one would put evidence on the wrong rule.
A database that AIDR Bastion's server made itself has no such constraint, and gets the defaults that it lacks.
"""

import sqlalchemy as sa
from alembic import op

from bastion.schema.rewriting import altered_rules

revision = "002_one_uuid_index"
down_revision = "001_initial"
branch_labels = None
depends_on = None

DEFAULTS = (
    ("enabled", sa.Boolean(), "1"),
    ("created_at", sa.DateTime(), sa.text("CURRENT_TIMESTAMP")),
    ("updated_at", sa.DateTime(), sa.text("CURRENT_TIMESTAMP")),
)


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    if postgres:
        op.drop_constraint("rules_uuid_key", "rules", type_="unique", if_exists=True)
    with altered_rules() as rules:
        if not postgres and sa.inspect(op.get_bind()).get_unique_constraints("rules"):
            rules.drop_constraint("rules_uuid_key", type_="unique")
        for name, kind, default in DEFAULTS:
            rules.alter_column(name, existing_type=kind, existing_nullable=False, server_default=default)


def downgrade() -> None:
    with op.batch_alter_table("rules") as rules:
        rules.create_unique_constraint("rules_uuid_key", ["uuid"])
