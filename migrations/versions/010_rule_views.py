"""What a rule gains: in which forms of a text it is looked for. Those that are there are looked for in all."""

import sqlalchemy as sa
from alembic import op

from bastion.schema.rewriting import altered_rules

revision = "010_rule_views"
down_revision = "009_list_indexes"
branch_labels = None
depends_on = None

ADDED = {"rules": ("views",)}


def upgrade() -> None:
    op.add_column("rules", sa.Column("views", sa.String(10), nullable=False, server_default="all"))


def downgrade() -> None:
    with altered_rules() as rules:
        rules.drop_column("views")
