"""How often somebody may try: counted for all workers of a host together, and over restarts."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from bastion.services.shared_state import SharedState

_SWEEP_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Limit:
    """``burst`` tries at once, and from then on one every ``seconds``."""

    burst: int
    seconds: float


LOGIN_OF_ACCOUNT: Final = Limit(burst=10, seconds=60)
"""Guessing one account's password: 1,450 tries a day, from however many addresses."""
LOGIN_FROM_ADDRESS: Final = Limit(burst=20, seconds=30)
"""Trying many accounts from one address."""


class Limits:
    """The generic cell rate algorithm (ITU-T I.371): one time a key says all, and one statement decides."""

    def __init__(self, state: SharedState, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._swept_at = 0.0

    def take(self, kind: str, key: str, limit: Limit) -> int:
        """Takes one try: 0 when there was one left, else the seconds until there is."""
        now = self._clock()
        self._sweep(now)
        ahead = (limit.burst - 1) * limit.seconds
        stored = _stored(kind, key)
        taken = self._state.run(
            "INSERT INTO limits (key, full_at) VALUES (?1, ?2 + ?3) ON CONFLICT (key) DO UPDATE "
            "SET full_at = max(full_at, ?2) + ?3 WHERE full_at - ?2 <= ?4 RETURNING full_at",
            (stored, now, limit.seconds, ahead),
        )
        if taken:
            return 0
        found = self._state.run("SELECT full_at FROM limits WHERE key = ?", (stored,))
        return max(1, ceil(found[0][0] - now - ahead)) if found else 1

    def give_back(self, kind: str, key: str, limit: Limit) -> None:
        """Undoes one ``take``: the try was a good one."""
        self._state.run("UPDATE limits SET full_at = full_at - ? WHERE key = ?", (limit.seconds, _stored(kind, key)))

    def _sweep(self, now: float) -> None:
        """Forgets who has all tries again: anybody can fill the file with names."""
        if now - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = now
            self._state.run("DELETE FROM limits WHERE full_at <= ?", (now,))
            self._state.run("DELETE FROM ended_sessions WHERE until <= ?", (now,))


def _stored(kind: str, key: str) -> str:
    """A key of one length that holds no name in clear: people type passwords into the wrong box."""
    return f"{kind}:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
