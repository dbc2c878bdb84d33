"""The audit log: one JSON line for each thing that somebody did, appended to ``audit.log`` in the instance folder.

Log shippers follow the file, and logrotate may move it away at any time: it is opened by its name for each line.
"""

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from bastion.models import utc_now

log = logging.getLogger(__name__)

AUDIT_FILE: Final = "audit.log"

MAX_VALUE: Final = 4000
"""How much of one value a line holds; of a longer one it has the beginning, the length and the hash."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is doing something: ``kind`` is account, token, command, process or nobody; ``via`` the route or command."""

    kind: str
    name: str | None = None
    address: str | None = None
    via: str | None = None
    request_id: str | None = None


class Note(Protocol):
    """Writes down that something was done; what is done is a word such as ``account.disabled``."""

    def __call__(
        self,
        action: str,
        target: Mapping[str, Any] | None = None,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        detail: Mapping[str, Any] | None = None,
        actor: Actor | None = None,
    ) -> None:
        """``before`` and ``after`` hold what has changed; ``actor`` is whoever is at it now unless named."""


def no_note(
    action: str,
    target: Mapping[str, Any] | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Writes nothing down."""


class AuditLog:
    """Appends lines. Each is one write to a file opened for appending, so that no two processes mix theirs."""

    def __init__(self, path: Path, who: Callable[[], Actor]) -> None:
        self.path = path
        self.who = who
        self._lock = threading.Lock()

    def note(
        self,
        action: str,
        target: Mapping[str, Any] | None = None,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        detail: Mapping[str, Any] | None = None,
        actor: Actor | None = None,
    ) -> None:
        """As ``Note``. What cannot be written goes to the application's log, since it has been done already."""
        actor = actor or self.who()
        entry = {
            "time": utc_now().isoformat(timespec="milliseconds"),
            "action": action,
            "kind": actor.kind,
            "who": actor.name,
            "address": actor.address,
            "via": actor.via,
            "request": actor.request_id,
            "target": target,
            "before": before,
            "after": after,
            "detail": detail,
        }
        line = json.dumps({key: _bounded(value) for key, value in entry.items() if value is not None}, default=str)
        try:
            self._append(line.encode("ascii") + b"\n")
        except OSError as error:
            log.critical("the audit log %s cannot be written (%s): %s", self.path, error.strerror, line)

    def _append(self, line: bytes) -> None:
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                written = os.write(descriptor, line)
                if written < len(line):
                    raise OSError(0, "the disk took only a part of the line")
            finally:
                os.close(descriptor)


def _bounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _bounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(one) for one in value[:100]]
    if isinstance(value, str) and len(value) > MAX_VALUE:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{value[:MAX_VALUE]} ({len(value)} characters, SHA-256 {digest})"
    return value
