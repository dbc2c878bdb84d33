"""Taking in a database that AIDR Bastion's server made itself, without a mark of its revision."""

from typing import Final

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.pool import StaticPool

from bastion.errors import SchemaError
from bastion.schema.description import Described, describe

FIRST: Final = "001_initial"
TABLES: Final = ("rules", "events", "rule_triggers")


def wants_adoption(connection: Connection) -> bool:
    """Whether a database without a revision has tables of ours all the same."""
    return any(name in TABLES for name in sa.inspect(connection).get_table_names())


def check_fit(connection: Connection, script: ScriptDirectory) -> None:
    """Holds such a database to what the first revision makes; changes nothing.

    Raises:
        SchemaError: naming every difference that the later revisions do not know how to deal with.
    """
    found = describe(connection, TABLES)
    connection.rollback()
    wanted = _made_by_first_revision(connection, script)
    differences = [*_differences(found, wanted), *_broken_references(connection)]
    connection.rollback()
    if differences:
        lines = "\n".join(f"  {line}" for line in differences)
        raise SchemaError(
            f"the database has tables but no revision, and they are not those that {FIRST} makes. Nothing was changed. "
            f"The differences:\n{lines}\n"
            "Remove them and try again, or, if you know which revision the tables are at, say so: "
            "`flask db stamp REVISION`"
        )


def _made_by_first_revision(connection: Connection, script: ScriptDirectory) -> Described:
    """What the first revision makes on this kind of database, found by letting it."""
    if connection.dialect.name == "sqlite":
        with sa.create_engine("sqlite://", poolclass=StaticPool).connect() as scratch:
            return _run_first_revision(scratch, script)
    with connection.begin() as transaction:
        # Tables made in this schema are temporary, and gone with the transaction.
        connection.execute(sa.text("SET LOCAL search_path TO pg_temp"))
        described = _run_first_revision(connection, script)
        transaction.rollback()
    return described


def _run_first_revision(connection: Connection, script: ScriptDirectory) -> Described:
    with Operations.context(MigrationContext.configure(connection)):
        script.get_revision(FIRST).module.upgrade()
    return describe(connection, TABLES)


def _differences(found: Described, wanted: Described) -> list[str]:
    lines = []
    for what in sorted(found.keys() | wanted.keys()):
        has, wants = found.get(what), wanted.get(what)
        if has == wants or _is_second_form(what, has, wants):
            continue
        if has is None:
            lines.append(f"{what}: missing, wants {wants}")
        elif wants is None:
            lines.append(f"{what}: not wanted, is {has}")
        else:
            lines.append(f"{what}: is {has}, wants {wants}")
    return lines


def _is_second_form(what: str, has: str | None, wants: str | None) -> bool:
    """Whether AIDR Bastion's ``create_all()`` makes it so where its migration makes it otherwise."""
    if has is None and wants is not None:
        if what.startswith("default of "):
            return "nextval" not in wants
        return what == "unique constraint on rules (uuid)"
    return (what, has, wants) == ("events.pipeline_results", "JSON NULL", "TEXT NULL")


def _broken_references(connection: Connection) -> list[str]:
    """SQLite does not keep foreign keys unless it is told to, and AIDR Bastion does not tell it."""
    if connection.dialect.name != "sqlite":
        return []
    return [
        f"{table}: {rows} rows refer to rows of {parent} that are not there"
        for table, parent, rows in connection.execute(
            sa.text('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2')
        )
    ]
