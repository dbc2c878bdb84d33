"""What a rule gains: the name of the check that what it matched must pass. Those that are there have none."""

import sqlalchemy as sa
from alembic import op

from bastion.schema.rewriting import altered_rules

revision = "011_rule_validator"
down_revision = "010_rule_views"
branch_labels = None
depends_on = None

ADDED = {"rules": ("validator",)}


def upgrade() -> None:
    op.add_column("rules", sa.Column("validator", sa.String(50)))


def downgrade() -> None:
    with altered_rules() as rules:
        rules.drop_column("validator")
