"""A PostgreSQL that is frozen, or may only be read from now on, keeps its connections: somebody has to let go."""

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import psycopg2
import sqlalchemy as sa
from psycopg2.extensions import POLL_OK, POLL_READ

from bastion.database.connections import ALIVE, shut_down

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 2.0
"""How long a server may take to answer nothing at all. A busy one takes milliseconds."""


class Silence(Exception):
    """The server did not answer in time."""


class ReadOnly(Exception):
    """The server takes no changes: another may have taken over from it."""


class HeldConnections:
    """The connections that threads of this process have taken from an engine's pool."""

    def __init__(self, engine: sa.Engine) -> None:
        self._held: dict[int, Any] = {}
        sa.event.listen(engine, "checkout", self._take)
        sa.event.listen(engine, "checkin", self._give_back)

    def cut(self) -> None:
        """Ends them all: whoever waits on one gets an error."""
        for connection in list(self._held.values()):
            shut_down(connection)

    def __len__(self) -> int:
        return len(self._held)

    def _take(self, connection: Any, record: Any, _proxy: Any) -> None:
        self._held[id(record)] = connection

    def _give_back(self, _connection: Any, record: Any) -> None:
        # The connection is `None` by now if it broke.
        self._held.pop(id(record), None)


class Pulse:
    """Asks PostgreSQL each second whether it takes changes, and calls ``let_go`` with the reason when it begins not to.

    It asks without waiting in the driver, so that it cannot hang itself. A server that refuses connections is not
    silent: whoever needs it is told so at once.
    """

    def __init__(self, engine: sa.Engine, let_go: Callable[[str], None]) -> None:
        _, parameters = engine.dialect.create_connect_args(engine.url)
        self._servers = [{**parameters, **ALIVE, **server} for server in _servers(parameters)]
        self._let_go = let_go
        self._stopped = threading.Event()
        self._connection: Any = None
        self._read_only = False
        self._process = 0

    def start(self) -> None:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._stopped = threading.Event()
            threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def ask(self) -> None:
        """One question.

        Raises:
            Silence: when there is no answer within ``SILENCE_SECONDS``.
            ReadOnly: when the server takes no changes.
            psycopg2.Error: when there is no server.
        """
        if self._connection is None or self._connection.closed:
            self._connect()
        cursor = self._connection.cursor()
        cursor.execute("SHOW transaction_read_only")
        self._wait()
        ((read_only,),) = cursor.fetchall()
        if read_only == "on":
            raise ReadOnly

    def _connect(self) -> None:
        """To the first of the servers that can be had, as the driver would if it did not have to be waited for."""
        for server in self._servers:
            try:
                self._connection = psycopg2.connect(**server, async_=True)
                self._wait()
                return
            except (Silence, psycopg2.Error):
                self._forget()
                if server is self._servers[-1]:
                    raise

    def _wait(self) -> None:
        deadline = time.monotonic() + SILENCE_SECONDS
        while (state := self._connection.poll()) != POLL_OK:
            waiting = select.poll()
            waiting.register(self._connection.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
            left = deadline - time.monotonic()
            if left <= 0 or not waiting.poll(left * 1000):
                raise Silence

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                self.ask()
                self._read_only = False
            except Silence:
                self._let_go(f"PostgreSQL has not answered for {SILENCE_SECONDS:.0f} s")
                self._forget()
            except ReadOnly:
                # It may stay so for long, and what only reads goes on with it: connections are made anew only once.
                if not self._read_only:
                    self._let_go("PostgreSQL is read-only")
                self._read_only = True
                self._forget()
            except psycopg2.Error:
                self._forget()
            except Exception:  # The thread's outermost edge.
                log.exception("the database is not watched")
                self._forget()
        self._forget()

    def _forget(self) -> None:
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None


def _servers(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """Host and port of each server that a URL names, in its order, where it names several."""
    hosts, ports = (str(parameters.get(name, "")).split(",") for name in ("host", "port"))
    if len(hosts) == 1:
        return [{}]
    if len(ports) == 1:
        ports *= len(hosts)
    return [{"host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]
