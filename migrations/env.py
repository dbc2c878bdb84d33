"""How Alembic reaches the database: through the application's own engine."""

from typing import Any

from alembic import context
from alembic.operations import MigrationScript
from flask import current_app
from sqlalchemy import Connection

from bastion.extensions import db


def forget_empty(_context: Any, _revision: Any, directives: list[MigrationScript]) -> None:
    """Writes no file when models and database agree."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []
        print("The models and the database agree: no migration is needed.")


def run_offline() -> None:
    url = db.engine.url.render_as_string(hide_password=False)
    context.configure(url=url, target_metadata=db.metadata, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    with db.engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            # With foreign keys on, replacing a parent table deletes its children's rows. The pragma does nothing
            # inside a transaction, and without the commit the version row would be lost with the pragma's own.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
        try:
            migrate(connection)
            if sqlite:
                check_foreign_keys(connection)
        finally:
            if sqlite:
                connection.rollback()
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        process_revision_directives=forget_empty,
        transaction_per_migration=True,
        on_version_apply=announce,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


def announce(step: Any, **_rest: Any) -> None:
    arrow = "to" if step.is_upgrade else "back to"
    print(f"migrated {arrow} {', '.join(step.destination_revision_ids) or 'an empty database'}")


def check_foreign_keys(connection: Connection) -> None:
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
        raise RuntimeError(f"{len(broken)} rows refer to rows that are not there, first {tuple(broken[0])}")


if context.is_offline_mode():
    run_offline()
else:
    run_online()
