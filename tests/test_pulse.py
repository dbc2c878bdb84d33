"""Which connections are held at the moment, and when they are let go of."""

import socket
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from bastion.database.pulse import HeldConnections, Pulse, ReadOnly, Silence
from bastion.settings import sync_database_url
from tests.databases import Databases


def test_a_connection_that_broke_is_not_held_for_ever() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool)
    held = HeldConnections(engine)
    for breaks in (False, True):
        connection = engine.connect()
        assert len(held) == 1
        if breaks:
            connection.invalidate()
        connection.close()
        assert len(held) == 0


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
