"""The database's schema and the code's: bringing the one up to the other, once, whoever starts first."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bastion.errors import SchemaError
from bastion.extensions import db

log = logging.getLogger(__name__)

# Any number that other programs on the same PostgreSQL do not use: "bastion" in ASCII.
_ADVISORY_LOCK: Final = 0x62617374696F6E


def serving() -> bool:
    """Whether this process will answer requests: every ``flask`` command but ``run`` only uses the application."""
    context = click.get_current_context(silent=True)
    return context is None or context.info_name == "run"


def init_db(*, auto_migrate: bool) -> None:
    """Brings the schema to the newest revision, or without ``auto_migrate`` checks that it is there.

    Wants an application's context. Many processes may call this at once: one migrates while the others wait.

    Raises:
        SchemaError: when the schema is not the newest and may not be changed, or the database cannot be reached.
    """
    try:
        _bring_up_to_date(auto_migrate)
        # A server may fork now, and two processes must not share a connection.
        db.engine.dispose()
    except DBAPIError as error:
        raise SchemaError(f"the database cannot be used: {error.orig}") from None
    except CommandError as error:
        raise SchemaError(f"the database is at a revision that this version does not know: {error}") from None


def _bring_up_to_date(auto_migrate: bool) -> None:
    config = current_app.extensions["migrate"].migrate.get_config()
    head = ScriptDirectory.from_config(config).get_current_head()
    if current_revision() == head:
        return
    if not auto_migrate:
        raise SchemaError(
            f"the database is at revision {current_revision() or 'none'}, this version needs {head}: "
            "run `flask db upgrade`, or set BASTION_AUTO_MIGRATE=1"
        )
    with _alone():
        if (found := current_revision()) != head:
            log.warning("migrating the database from %s to %s", found or "nothing", head)
            command.upgrade(config, "head")


def current_revision() -> str | None:
    """The revision of the database; ``None`` when it has none."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _alone() -> Iterator[None]:
    """Holds the only right to migrate: an advisory lock on PostgreSQL, a locked file beside an SQLite database."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
    else:
        with open(f"{db.engine.url.database}.migrating", "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
