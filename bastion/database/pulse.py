"""A PostgreSQL that is frozen, or may only be read from now on, keeps its connections: somebody has to let go."""

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

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


class Connections:
    """An engine's connections: those that are open, and how many of them threads have taken from the pool."""

    def __init__(self, engine: sa.Engine) -> None:
        self._held: set[int] = set()
        self._open: WeakSet[Any] = WeakSet()
        self._lock = threading.Lock()
        sa.event.listen(engine, "checkout", self._take)
        sa.event.listen(engine, "checkin", self._give_back)
        if engine.dialect.name == "postgresql":
            # The first to know of one: whoever prepares it may have to wait already.
            sa.event.listen(engine, "connect", self._note, insert=True)

    @property
    def held(self) -> int:
        return len(self._held)

    def cut(self) -> None:
        """Ends all that are open: whoever waits on one gets an error, also who only asks whether it is alive."""
        with self._lock:
            found = list(self._open)
        for connection in found:
            shut_down(connection)

    def _note(self, connection: Any, _record: Any) -> None:
        with self._lock:
            self._open.add(connection)

    def _take(self, _connection: Any, record: Any, _proxy: Any) -> None:
        self._held.add(id(record))

    def _give_back(self, _connection: Any, record: Any) -> None:
        self._held.discard(id(record))


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
        self._last: dict[str, Any] | None = None
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
        """To the first of the servers that can be had, as the driver would if it did not have to be waited for.

        That the one which answered last says nothing is what others wait for, whatever the next answers.
        """
        silence: Silence | None = None
        fault: Exception | None = None
        for server in self._servers:
            try:
                self._connection = psycopg2.connect(**server, async_=True)
                self._wait()
                self._last = server
                return
            except (Silence, psycopg2.Error) as error:
                self._forget()
                fault = error
                if isinstance(error, Silence) and self._last in (None, server):
                    silence = error
        assert fault is not None
        raise silence or fault

    def _wait(self) -> None:
        deadline = time.monotonic() + SILENCE_SECONDS
        while (state := self._connection.poll()) != POLL_OK:
            waiting = select.poll()
            waiting.register(self._connection.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
            # After a pause of our own the answer may be there already.
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise Silence

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                self.beat()
            except Exception:  # The thread's outermost edge.
                log.exception("the database is not watched")
                self._forget()
        self._forget()

    def beat(self) -> None:
        """Asks once, and lets go of a server that says nothing, or begins to take no changes."""
        try:
            self.ask()
            self._read_only = False
        except Silence:
            self._forget()
            self._let_go(f"PostgreSQL has not answered for {SILENCE_SECONDS:.0f} s")
        except ReadOnly:
            # It may stay so for long, and what only reads goes on with it: connections are made anew only once.
            begins, self._read_only = not self._read_only, True
            self._forget()
            if begins:
                self._let_go("PostgreSQL is read-only")
        except psycopg2.Error:
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
