"""What a rule gains: a version as optimistic lock, authorship, context, samples, exceptions, history."""

import sqlalchemy as sa
from alembic import op

from bastion.models import Json, UtcDateTime
from bastion.schema.rewriting import altered_rules

revision = "003_rule_life"
down_revision = "002_one_uuid_index"
branch_labels = None
depends_on = None

TEXTS = ("tags", "references", "false_positives")
DOCUMENTS = ("samples", "exceptions", "history")
ADDED = {"rules": ("version", "author", *TEXTS, *DOCUMENTS, "archived_at")}


def upgrade() -> None:
    op.add_column("rules", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("rules", sa.Column("author", sa.String(255)))
    for name in TEXTS:
        op.add_column("rules", sa.Column(name, sa.Text))
    for name in DOCUMENTS:
        op.add_column("rules", sa.Column(name, Json))
    op.add_column("rules", sa.Column("archived_at", UtcDateTime))
    op.create_index("ix_rules_updated_at_version", "rules", ["updated_at", "version"])


def downgrade() -> None:
    op.drop_index("ix_rules_updated_at_version", "rules")
    with altered_rules() as rules:
        for name in reversed(ADDED["rules"]):
            rules.drop_column(name)
