"""Times on PostgreSQL carry their zone; the naive ones that were there are UTC. On SQLite all have fractions."""

from alembic import op

from bastion.schema.batches import batches

revision = "008_times_with_zone"
down_revision = "007_wide_ids"
branch_labels = None
depends_on = None

RETYPES = True

TIMES = {"rules": ("created_at", "updated_at"), "events": ("timestamp",), "rule_triggers": ("timestamp",)}


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        give_fractions()
    else:
        retype("timestamp with time zone")


def give_fractions() -> None:
    """SQLite compares times as text, and its CURRENT_TIMESTAMP writes no fraction, which all others have."""
    for table, names in TIMES.items():
        for batch in batches(op.get_bind(), table, f"completing the times of {table}"):
            for name in names:
                op.execute(
                    f'UPDATE {table} SET "{name}" = "{name}" || \'.000000\' '
                    f'WHERE length("{name}") = 19 AND id > {batch["after"]} AND id <= {batch["upto"]}'
                )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        retype("timestamp without time zone")


def retype(kind: str) -> None:
    # In UTC the two types are the same 64 bits: PostgreSQL then copies no table and builds only the indexes anew.
    op.execute("SET LOCAL TIME ZONE 'UTC'")
    for table, names in TIMES.items():
        changes = [f'ALTER COLUMN "{name}" TYPE {kind}' for name in names]
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
