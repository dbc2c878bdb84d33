"""A PostgreSQL that another takes over from: texts are judged all the while, and their events are in the new one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firewall.test_database_away import ask, wait_until_stored
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


@pytest.mark.parametrize("lost", ["killed", "frozen", "read-only"])
def test_a_standby_takes_over(
    postgres: TemporaryPostgres, standby: TemporaryPostgres, instance: Path, lost: str
) -> None:
    hosts = f"host=127.0.0.1,127.0.0.1&port={postgres.port},{standby.port}"
    server = Server(f"postgresql://postgres@/postgres?{hosts}&target_session_attrs=read-write", instance)
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

        wait_until_stored(server, answers)
        after = ask(server)
        assert [answer for answer in after if answer["event_id"] is None] == []
        rule = {"name": "Made after", "details": "-", "pattern": "quuxfrobnicate", "action": "block"}
        assert server.call("POST", "/rules", rule)[0] == 201
        assert standby.psql("postgres", "-c", "SELECT count(*) FROM events") == f"{len(answers + after)}\n"
    finally:
        if lost == "frozen":
            postgres.thaw()
        server.stop()
