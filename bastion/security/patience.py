"""Another server's silence must not take our threads: each waits for it, and there are few."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Final

from requests import ConnectionError as NoConnection
from requests import Timeout

FIRST_SECONDS: Final = 5
LONGEST_SECONDS: Final = 60


class NotAsked(Exception):
    """The other server is left alone for so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"it did not answer, and is asked again in {seconds} s")
        self.seconds = seconds


class Patience:
    """Lets ``at_once`` threads ask another server; after it did not answer, nobody for a while and then one.

    The while is five seconds, doubles each time, and is at most a minute. What it refuses in good time is an answer.
    """

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once = at_once
        self._clock = clock
        self._lock = threading.Lock()
        self._asking = 0
        self._silences = 0
        self._until = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """What asks the other server. Raises ``NotAsked`` instead of running it."""
        with self._lock:
            wait = self._until - self._clock() if self._silences else 0.0
            if wait > 0 or self._asking >= (1 if self._silences else self._at_once):
                raise NotAsked(max(1, ceil(wait)))
            self._asking += 1
        try:
            yield
        except (NoConnection, Timeout):
            with self._lock:
                self._until = self._clock() + min(LONGEST_SECONDS, FIRST_SECONDS * 2**self._silences)
                self._silences += 1
            raise
        else:
            self._silences = 0
        finally:
            with self._lock:
                self._asking -= 1
