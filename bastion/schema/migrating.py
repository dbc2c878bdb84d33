"""What ``migrations/env.py`` does: one process at a time, nothing unsaved, each revision whole or not at all."""

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import sqlalchemy as sa
from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from bastion.errors import SchemaError
from bastion.extensions import db
from bastion.schema.adoption import FIRST, TABLES, check_fit, wants_adoption
from bastion.schema.backups import back_up
from bastion.schema.connections import holders, let_others_read, looking_engine, migrating_engine, waited_in_vain
from bastion.schema.locking import alone
from bastion.schema.losses import name_losses
from bastion.schema.obstacles import check_obstacles

LOCK_ATTEMPTS: Final = 10
LOCK_PAUSE_SECONDS: Final = 2.0


def run() -> None:
    """Runs the command that Alembic was called with. Wants an application's context."""
    if context.is_offline_mode():
        _write_sql()
        return
    with looking_engine(db.engine).connect() as connection:
        migration = _configured(connection)
        if "destination_rev" not in migration.opts:
            # The command only looks. Unless told so, Alembic makes its table for it.
            migration.opts["dont_mutate"] = True
            context.run_migrations()
            return
    engine = migrating_engine(db.engine, current_app.config["SQLALCHEMY_ENGINE_OPTIONS"].get("connect_args", {}))
    with engine.connect() as connection, alone(connection):
        _change(connection)


def _write_sql() -> None:
    if db.engine.dialect.name == "sqlite":
        raise SchemaError(
            "migrations of SQLite cannot be written down as SQL: what SQLite cannot alter is copied into a new table, "
            "which is made from the one that is there. See them at work on a copy of the file instead:\n"
            "DATABASE_URL=sqlite:///copy.db flask db upgrade"
        )
    context.configure(
        url=db.engine.url.render_as_string(hide_password=False),
        target_metadata=db.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transaction_per_migration=True,
    )
    context.run_migrations()


def _configured(connection: Connection, steps: int = 0) -> MigrationContext:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        process_revision_directives=_forget_empty,
        transaction_per_migration=True,
        transactional_ddl=True,
        on_version_apply=_Checked(connection, steps),
        **current_app.extensions["migrate"].configure_args,
    )
    return context.get_context()


def _change(connection: Connection) -> None:
    migration = _configured(connection)
    script = migration.script
    assert script is not None
    asked = _asked(migration)
    if not asked:
        click.echo(f"nothing to do: the database is at {', '.join(migration.get_current_heads()) or 'no revision'}")
    steps = _revisions(asked)
    adopts = bool(steps) and steps[0].is_upgrade and not steps[0].from_revisions and wants_adoption(connection)
    connection.rollback()
    if adopts:
        check_fit(connection, script)
    if steps:
        check_obstacles(connection, steps, TABLES)
        let_others_read(connection)
        name_losses(connection, steps)
        _keep_copy(migration)
    if adopts:
        _stamp(migration, script)
        steps = _revisions(_asked(migration))
    _configured(connection, len(steps))
    _run_with_patience(connection)


def _revisions(asked: Sequence[MigrationStep]) -> list[RevisionStep]:
    """Those of the steps that apply a revision or take it back, and are no mere stamp."""
    return [step for step in asked if isinstance(step, RevisionStep)]


def _asked(migration: MigrationContext) -> list[MigrationStep]:
    """What the command will do."""
    heads = () if migration.purge else migration.get_current_heads()
    connection = migration.connection
    assert connection is not None
    steps = list(migration.opts["fn"](heads, migration))
    connection.rollback()
    return steps


def _keep_copy(migration: MigrationContext) -> None:
    connection = migration.connection
    assert connection is not None
    if connection.dialect.name == "sqlite":
        revision = "_".join(migration.get_current_heads()) or "unmarked"
        connection.rollback()
        back_up(Path(str(connection.engine.url.database)), Path(current_app.instance_path) / "backups", revision)


def _stamp(migration: MigrationContext, script: ScriptDirectory) -> None:
    connection = migration.connection
    assert connection is not None
    migration.stamp(script, FIRST)
    connection.commit()
    click.echo(f"the tables are AIDR Bastion's: taken in at {FIRST}")


def _run_with_patience(connection: Connection) -> None:
    """Tries again when another session holds a table on PostgreSQL: what was applied stays, the rest follows."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            context.run_migrations()
            return
        except OperationalError as error:
            if not waited_in_vain(error):
                raise
            connection.rollback()
            others = holders(connection, [table for table in TABLES if sa.inspect(connection).has_table(table)])
            if attempt == LOCK_ATTEMPTS:
                raise SchemaError(
                    f"other sessions hold tables that this step needs: {others or 'gone by now'}. The step changed "
                    "nothing, and those before it are done. End these sessions and run the command again"
                ) from None
            click.echo(f"other sessions hold tables that this step needs, trying again: {others or 'gone by now'}")
            time.sleep(LOCK_PAUSE_SECONDS)


def _forget_empty(_context: Any, _revision: Any, directives: list[MigrationScript]) -> None:
    """Writes no file when models and database agree."""
    upgrade = directives[0].upgrade_ops
    if getattr(context.config.cmd_opts, "autogenerate", False) and upgrade is not None and upgrade.is_empty():
        directives[:] = []
        click.echo("The models and the database agree: no migration is needed.")


class _Checked:
    """Called at the end of each revision's transaction: an error takes the revision back."""

    def __init__(self, connection: Connection, steps: int) -> None:
        self._connection = connection
        self._steps = steps
        self._done = 0
        self._started = time.monotonic()

    def __call__(
        self,
        ctx: MigrationContext,  # noqa: ARG002 (Alembic names its arguments)
        step: MigrationInfo,
        heads: Collection[Any],  # noqa: ARG002
        run_args: Mapping[str, Any],  # noqa: ARG002
    ) -> None:
        if self._connection.dialect.name == "sqlite" and step.is_migration:
            _check_references(self._connection)
        self._done += 1
        now = time.monotonic()
        arrow = "to" if step.is_upgrade else "back to"
        place = ", ".join(step.destination_revision_ids) or "an empty database"
        counted = f" ({self._done} of {self._steps}, {now - self._started:.1f} s)" if step.is_migration else ""
        click.echo(f"{'migrated' if step.is_migration else 'stamped'} {arrow} {place}{counted}")
        self._started = now


def _check_references(connection: Connection) -> None:
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(1):
        table, row, parent, _key = broken[0]
        raise SchemaError(
            f"row {row} of {table} refers to a row of {parent} that is not there, and there may be more: "
            f"the step changed nothing. `PRAGMA foreign_key_check` lists them; delete them and try again"
        )
