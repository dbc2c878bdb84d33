"""Which connections are held at the moment, and when they are let go of."""

import socket
from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from bastion.database.pulse import Connections, Pulse, ReadOnly, Silence
from bastion.settings import sync_database_url
from tests.databases import Databases


def test_a_connection_that_broke_is_not_held_for_ever() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool)
    connections = Connections(engine)
    for breaks in (False, True):
        connection = engine.connect()
        assert connections.held == 1
        if breaks:
            connection.invalidate()
        connection.close()
        assert connections.held == 0


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing, as a frozen one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def pulse(url: str, *ports: int) -> Pulse:
    hosts = {"host": ",".join(["127.0.0.1"] * len(ports)), "port": ",".join(map(str, ports))}
    return Pulse(sa.create_engine(make_url(sync_database_url(url)).update_query_dict(hosts)), lambda _: None)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_who_says_nothing_is_passed_over_for_who_answers(database_url: str, databases: Databases, silent: int) -> None:
    answers = databases.server.port

    pulse(database_url, silent, answers).ask()
    pulse(database_url, answers, silent).ask()
    with pytest.raises(Silence):
        pulse(database_url, silent).ask()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_database_that_takes_no_changes_is_noticed(database_url: str, databases: Databases) -> None:
    asking = pulse(database_url, databases.server.port)
    asking.ask()
    name = database_url.rpartition("/")[2]
    databases.server.psql("postgres", "-c", f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    asking._forget()

    with pytest.raises(ReadOnly):
        asking.ask()


def test_a_server_is_let_go_of_once_when_it_begins_to_take_no_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[str] = []
    answers: list[Exception | None] = [None, ReadOnly(), ReadOnly(), None, ReadOnly(), Silence(), psycopg2.Error()]
    watching = Pulse(sa.create_engine("postgresql+psycopg2://"), reasons.append)

    def ask(_self: Pulse) -> None:
        if answer := answers.pop(0):
            raise answer

    monkeypatch.setattr(Pulse, "ask", ask)
    for _ in range(len(answers)):
        watching.beat()

    assert reasons == ["PostgreSQL is read-only"] * 2 + ["PostgreSQL has not answered for 2 s"]


@pytest.mark.parametrize("kind", ["postgresql"])
def test_what_waits_in_the_pool_is_cut_as_well(engine: sa.Engine, databases: Databases) -> None:
    connections = Connections(engine)
    with engine.connect() as connection:
        backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    assert connections.held == 0

    connections.cut()

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() != backend
