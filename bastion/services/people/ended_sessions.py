"""Sessions that were logged out. A session is a signed cookie: without this, a copy of it would go on."""

import hashlib
import time
from collections.abc import Callable
from typing import Final

from bastion.services.shared_state import SharedState

MAX_SESSION_SECONDS: Final = 24 * 3600
"""From the login, however busy a session is."""
IDLE_SESSION_SECONDS: Final = 8 * 3600


class EndedSessions:
    """Known to all workers of a host, for as long as the cookie could be used."""

    def __init__(self, state: SharedState, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock

    def end(self, session_id: str) -> None:
        until = self._clock() + MAX_SESSION_SECONDS
        self._state.run("INSERT OR REPLACE INTO ended_sessions VALUES (?, ?)", (_hashed(session_id), until))

    def has(self, session_id: str) -> bool:
        return bool(self._state.run("SELECT 1 FROM ended_sessions WHERE key = ?", (_hashed(session_id),)))


def _hashed(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
