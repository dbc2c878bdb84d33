"""What others have made on our tables and no migration can keep: named before anything is changed."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection

from bastion.errors import SchemaError

_VIEWS: Final = sa.text("""
    SELECT DISTINCT v.oid::regclass::text
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = ANY(CAST(:tables AS regclass[]))
    ORDER BY 1
""")

_LOST: Final = sa.text("""
    SELECT type || ' ' || name FROM sqlite_master m
    WHERE tbl_name IN :tables AND (
        type = 'trigger' OR type = 'index' AND EXISTS (SELECT 1 FROM pragma_index_info(m.name) WHERE cid = -2)
    )
    ORDER BY 1
""").bindparams(sa.bindparam("tables", expanding=True))
"""Column -2 of an index is an expression: Alembic's batches know columns only, and nothing of triggers."""


def check_obstacles(connection: Connection, steps: Sequence[RevisionStep], tables: Sequence[str]) -> None:
    """Changes nothing.

    Raises:
        SchemaError: naming the views on PostgreSQL that use columns whose type a step changes, or the triggers and
            indexes of expressions on SQLite, which go when a table is copied into its new form.
    """
    present = [table for table in tables if sa.inspect(connection).has_table(table)]
    if connection.dialect.name == "postgresql":
        retyping = any(getattr(step.revision.module, "RETYPES", False) for step in steps)
        found = connection.scalars(_VIEWS, {"tables": present}).all() if retyping else ()
        wrong = "these views use columns whose type changes"
    else:
        found = connection.scalars(_LOST, {"tables": present}).all()
        wrong = "these are not Bastion's and would be lost when tables are copied into their new form"
    connection.rollback()
    if found:
        raise SchemaError(
            f"{wrong}: {', '.join(found)}. Nothing was changed. Keep their definitions, drop them, run the command "
            "again, and make them anew"
        )
