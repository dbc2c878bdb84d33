"""A PostgreSQL that is frozen keeps its connections and answers nothing: somebody has to notice, and let go."""

import logging
import os
import select
import threading
import time
from collections.abc import Callable
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
    """Asks a PostgreSQL server each second for nothing, and calls ``on_silence`` when there is no answer.

    It asks without waiting in the driver, so that it cannot hang itself. A server that refuses connections is not
    silent: whoever needs it is told so at once.
    """

    def __init__(self, engine: sa.Engine, on_silence: Callable[[str], None]) -> None:
        _, parameters = engine.dialect.create_connect_args(engine.url)
        self._parameters = {**parameters, **ALIVE}
        self._on_silence = on_silence
        self._stopped = threading.Event()
        self._connection: Any = None
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
            psycopg2.Error: when there is no server.
        """
        deadline = time.monotonic() + SILENCE_SECONDS
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(**self._parameters, async_=True)
            self._wait(deadline)
        cursor = self._connection.cursor()
        cursor.execute("SELECT 1")
        self._wait(deadline)
        cursor.fetchall()

    def _wait(self, deadline: float) -> None:
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
            except Silence:
                self._on_silence(f"PostgreSQL has not answered for {SILENCE_SECONDS:.0f} s")
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
