"""The connection that migrates: real transactions on SQLite, short waits for locks on PostgreSQL."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

LOCK_SECONDS: Final = 3
"""How long a PostgreSQL statement waits for a table: whoever comes after it waits behind it."""

_LOCK_NOT_AVAILABLE: Final = "55P03"

_HOLDERS: Final = sa.text("""
    SELECT DISTINCT a.pid, a.application_name, a.state, to_char(a.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.granted AND l.relation = ANY(CAST(:tables AS regclass[])) AND a.pid <> pg_backend_pid()
    ORDER BY a.pid
""")


def looking_engine(engine: Engine) -> Engine:
    """An engine that leaves an SQLite file as it is: the application's own puts it in WAL mode, and makes it."""
    if engine.dialect.name != "sqlite":
        return engine
    there = Path(engine.url.database or "").exists()
    return sa.create_engine(engine.url if there else "sqlite://", poolclass=NullPool, echo=engine.echo)


def let_others_read(connection: Connection) -> None:
    """Puts an SQLite file in WAL mode, in which a writer keeps no reader waiting. It stays in it."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA journal_mode=WAL")


def migrating_engine(engine: Engine, connect_args: dict[str, Any]) -> Engine:
    """An engine for the same database, whose connections are closed after use and so leave no setting behind."""
    if engine.dialect.name == "sqlite":
        # The driver's own way of opening transactions leaves DDL outside of them. None makes it leave that to us.
        made = sa.create_engine(
            engine.url, poolclass=NullPool, echo=engine.echo, connect_args={**connect_args, "isolation_level": None}
        )
        sa.event.listen(made, "connect", _prepare_sqlite)
        sa.event.listen(made, "begin", _begin_sqlite)
    else:
        made = sa.create_engine(engine.url, poolclass=NullPool, echo=engine.echo, connect_args=connect_args)
        sa.event.listen(made, "connect", _prepare_postgresql)
    return made


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # With foreign keys on, replacing a parent table deletes its children's rows.
    connection.execute("PRAGMA foreign_keys=OFF")
    # For a file without tables yet; in any other it changes nothing.
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA synchronous=FULL")
    # A view over a table would otherwise keep that table from being replaced.
    connection.execute("PRAGMA legacy_alter_table=ON")
    # Tables are copied and indexes built: 256 MiB instead of 2 to do it in.
    connection.execute("PRAGMA cache_size=-262144")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    connection.commit()


def waited_in_vain(error: DBAPIError) -> bool:
    """Whether a PostgreSQL statement failed because another session held what it needed."""
    return getattr(error.orig, "pgcode", None) == _LOCK_NOT_AVAILABLE


def holders(connection: Connection, tables: list[str]) -> str:
    """Which other sessions hold locks on the tables, for a person to find and end them."""
    rows = connection.execute(_HOLDERS, {"tables": tables}).all()
    connection.rollback()
    return ", ".join(f"pid {pid} ({name or 'unnamed'}, {state} since {since} UTC)" for pid, name, state, since in rows)
