"""A PostgreSQL that another takes over from: texts are judged all the while, and their events are in the new one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from bastion.database.connections import engine_options, prepare_connections
from bastion.settings import load_settings
from tests.firewall.test_database_away import PATIENCE_SECONDS, ask, wait_until_stored
from tests.postgres import TemporaryPostgres
from tests.servers import Server


@pytest.fixture
def standby(postgres: TemporaryPostgres) -> Iterator[TemporaryPostgres]:
    """Has whatever the other has committed, before the other says so."""
    server = TemporaryPostgres(durable=True, standby_of=postgres)
    postgres.psql("postgres", "-c", "ALTER SYSTEM SET synchronous_standby_names = '*'")
    postgres.psql("postgres", "-c", "SELECT pg_reload_conf()")
    yield server
    server.stop()


def until(holds: Callable[[], bool], server: Server) -> None:
    """Until it holds on many new connections in a row, which all workers answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    in_a_row = 0
    while in_a_row < 10:
        assert time.monotonic() < deadline, server.log
        in_a_row = in_a_row + 1 if holds() else 0
        time.sleep(0 if in_a_row else 0.2)


@pytest.mark.parametrize("lost", ["killed", "frozen", "read-only"])
def test_a_standby_takes_over(
    postgres: TemporaryPostgres, standby: TemporaryPostgres, instance: Path, lost: str
) -> None:
    hosts = f"host=127.0.0.1,127.0.0.1&port={postgres.port},{standby.port}"
    server = Server(f"postgresql://postgres@/postgres?{hosts}", instance)
    try:
        answers = ask(server)
        if lost == "killed":
            postgres.kill()
        elif lost == "frozen":
            postgres.freeze()
        else:
            postgres.psql("postgres", "-c", "ALTER SYSTEM SET default_transaction_read_only = on")
            postgres.psql("postgres", "-c", "SELECT pg_reload_conf()")
        answers += ask(server)
        assert answers[-1]["spooled"]

        standby.psql("postgres", "-c", "SELECT pg_promote()")

        # A worker that has not noticed yet reads from the other, or says that the database is away.
        until(lambda: (server.call("GET", "/events/stats")[1].get("total") or 0) >= len(answers), server)
        wait_until_stored(server, answers)
        rule = {"name": "Made after", "details": "-", "pattern": "quuxfrobnicate", "action": "block"}
        status, made = server.call("POST", "/rules", rule)
        assert status == 201, (made, server.log)
        until(lambda: server.status_of("quuxfrobnicate") == "block", server)
        until(lambda: server.call("POST", "/flow/run", {"prompt": "hello"})[1]["event_id"] is not None, server)
        assert int(standby.psql("postgres", "-c", "SELECT count(*) FROM events")) > len(answers)
    finally:
        if lost == "frozen":
            postgres.thaw()
        server.stop()


def test_a_pool_leads_to_one_server(postgres: TemporaryPostgres, standby: TemporaryPostgres) -> None:
    hosts = f"host=127.0.0.1,127.0.0.1&port={postgres.port},{standby.port}"
    settings = load_settings(database_url=f"postgresql://postgres@/postgres?{hosts}")
    engine = create_engine(settings.database_url, **engine_options(settings))
    prepare_connections(engine, settings)
    with engine.connect(), engine.connect():
        postgres.psql("postgres", "-c", "ALTER SYSTEM SET default_transaction_read_only = on")
        postgres.psql("postgres", "-c", "SELECT pg_reload_conf()")
        standby.psql("postgres", "-c", "SELECT pg_promote()")
        with engine.connect() as third:
            assert port_of(third) == standby.port

    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        assert [port_of(one) for one in (first, second, third)] == [standby.port] * 3
    engine.dispose()


def port_of(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SHOW port").scalar_one())


def test_a_commit_that_waits_for_a_lost_standby_holds_nobody_up(
    postgres: TemporaryPostgres, standby: TemporaryPostgres, instance: Path
) -> None:
    server = Server(postgres.url, instance)
    try:
        answers = ask(server)
        standby.kill()

        # Each call has the client's 30 seconds, and PostgreSQL itself would let the first wait for ever.
        waiting = ask(server, 40)
        assert all("spooled" in answer for answer in waiting[-10:])

        postgres.psql("postgres", "-c", "ALTER SYSTEM RESET synchronous_standby_names")
        postgres.psql("postgres", "-c", "SELECT pg_reload_conf()")
        wait_until_stored(server, answers + waiting)
    finally:
        server.stop()
