"""The database's schema and the code's: bringing the one up to the other, once, whoever starts first."""

import logging

import click
from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from sqlalchemy.exc import DBAPIError

from bastion.errors import SchemaError, SchemaUnknown
from bastion.extensions import db
from bastion.schema.connections import looking_engine
from bastion.schema.faults import explained, unusable

log = logging.getLogger(__name__)


def serving() -> bool:
    """Whether this process will answer requests: every ``flask`` command but ``run`` only uses the application."""
    context = click.get_current_context(silent=True)
    return context is None or context.info_name == "run"


def init_db(*, auto_migrate: bool) -> None:
    """Brings the schema to the newest revision, or without ``auto_migrate`` checks that it is there.

    Wants an application's context. Many processes may call this at once: one migrates while the others wait.

    Raises:
        SchemaError: when the schema is not the newest and may not or cannot be changed.
        SchemaUnknown: when the database cannot be reached.
    """
    try:
        _bring_up_to_date(auto_migrate)
        # A server may fork now, and two processes must not share a connection.
        db.engine.dispose()
    except DBAPIError as error:
        raise SchemaUnknown(unusable(error)) from None
    except CommandError as error:
        raise SchemaError(explained(str(error))) from None


def _bring_up_to_date(auto_migrate: bool) -> None:
    config = current_app.extensions["migrate"].migrate.get_config()
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    found = current_revision()
    if found == head:
        return
    if found is not None:
        # Raises for the mark of a newer version, which no upgrade can bring to this one's.
        script.get_revision(found)
    if not auto_migrate:
        raise SchemaError(
            f"the database is at revision {found or 'none'}, this version needs {head}: "
            "run `flask db upgrade`, or set BASTION_AUTO_MIGRATE=1"
        )
    log.warning("migrating the database from %s to %s", found or "nothing", head)
    command.upgrade(config, "head")


def current_revision() -> str | None:
    """The revision of the database; ``None`` when it has none."""
    with looking_engine(db.engine).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
