"""Gunicorn's threaded worker, held to sharing: connections among the workers, and a thread's time with its connection.

Whichever worker wakes first takes a new connection and keeps it for as long as its client does. A proxy, or a program
that opens all of its connections at once, often loads one worker alone while another has nothing to do. And each
request is handed from the thread that listens to one that answers and back, which costs as much as to read it.
"""

import mmap
import select
import time
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

LEAVE_SECONDS: Final = 0.002
"""So long a new connection is left to workers that have fewer. Then it is taken all the same: they may be stuck."""

STAY_MS: Final = 2
"""So long a thread that has answered waits for the next request on the same connection, unless others are waiting."""

PLACES: Final = 256

_open: Final = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")
"""One more than the connections of each worker, in memory that the workers share; 0 where there is none."""


class SharingWorker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's ``gthread``, which leaves new connections to others and stays a moment with its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._left_until: float | None = None

    def accept(self, listener: Any) -> None:
        """Takes a new connection, or leaves it for a moment to a worker that has fewer."""
        self._tell()
        if self._left_until is None and self.nr_conns >= min(filter(None, _open), default=self.nr_conns + 1):
            self._left_until = time.monotonic() + LEAVE_SECONDS
            self.set_accept_enabled(False)
            return
        self._left_until = None
        super().accept(listener)
        self._tell()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Gunicorn asks for it before it waits for events."""
        if not enabled or self._left_until is None or time.monotonic() >= self._left_until:
            super().set_accept_enabled(enabled)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Waits no longer than a connection is left to others, and then looks whether it is still there."""
        looks_again = self._left_until is not None and self._accepting
        if looks_again:
            timeout = 0
        elif self._left_until is not None and self.alive and self.nr_conns < self.worker_connections:
            timeout = min(timeout, max(0.0, self._left_until - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)
        if looks_again:
            self._left_until = None
        self._tell()

    def handle(self, conn: Any) -> Any:
        """Answers what comes on the connection, until it is silent or others have to wait for a thread."""
        while True:
            keeps = super().handle(conn)
            others_wait = self.tpool._work_queue.qsize() > 0  # noqa: SLF001 (there is no other way to ask)
            if keeps is not True or conn.is_http2 or not self.alive or others_wait:
                return keeps
            if not conn.parser.unreader.buf.getvalue():
                silence = select.poll()
                silence.register(conn.sock, select.POLLIN)
                if not silence.poll(STAY_MS):
                    return keeps

    def _tell(self) -> None:
        # Gunicorn counts a connection that broke off in the middle of an answer as closed twice.
        _open[self.age % PLACES] = max(0, self.nr_conns) + 1 if self.alive else 0


def forget(age: int) -> None:
    """Says that the worker of this age is gone: it has no connections that another could wait for."""
    _open[age % PLACES] = 0
