"""The rules in force, on the disk of the host: for a worker that starts while the database is away."""

import hashlib
import logging
import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from bastion.engine import RuleSpec

log = logging.getLogger(__name__)

RULES_FILE: Final = "rules.kept"

CONFIRM_SECONDS: Final = 20.0
"""Between two notes that what is kept is still what the database has."""

Revision = tuple[int, int, int, int, datetime | None]


@dataclass(frozen=True, slots=True)
class UnreadableRule:
    """A stored row that cannot be read as a rule: another program wrote it."""

    id: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredRules:
    """What the database held at one revision: the enabled rules, and those that could not be read."""

    revision: Revision
    specs: tuple[RuleSpec, ...]
    unreadable: tuple[UnreadableRule, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    database: str
    rules: StoredRules


_FORMAT: Final = TypeAdapter(_Kept)


class KeptRules:
    """A file that only its owner may read: a SHA-256, and the JSON that it is of.

    When the database last confirmed it is the file's time. Workers write the same, each in one step.
    """

    def __init__(self, path: Path, database: sa.URL) -> None:
        self.path = path
        # Rules of another database are not those that somebody wants in force here.
        self._database = hashlib.sha256(database.render_as_string(hide_password=True).encode()).hexdigest()
        self._confirmed = 0.0

    def keep(self, rules: StoredRules) -> None:
        """Replaces what is kept; a disk that takes nothing is logged and costs nothing else."""
        written = _FORMAT.dump_json(_Kept(self._database, rules))
        content = hashlib.sha256(written).hexdigest().encode() + b"\n" + written
        fresh = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        try:
            if not self.path.exists() or self.path.read_bytes() != content:
                _write(fresh, content)
                fresh.replace(self.path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            log.warning("the rules in force are not kept in %s: %s", self.path, error.strerror)
        self.confirm()

    def confirm(self) -> None:
        """Notes that the database still has what is kept; now and then is enough."""
        now = time.monotonic()
        if now - self._confirmed > CONFIRM_SECONDS:
            self._confirmed = now
            try:
                os.utime(self.path)
            except OSError as error:
                log.warning("the rules in force are not kept in %s: %s", self.path, error.strerror)

    def read(self) -> tuple[StoredRules, datetime] | None:
        """What is kept of this database, and when that was last confirmed; ``None`` when there is nothing whole."""
        try:
            confirmed = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
            kept = _FORMAT.validate_json(_checked(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            # Not what a validation says: it quotes the rules.
            log.error("the rules kept in %s are damaged and ignored (%s)", self.path, type(error).__name__)
            return None
        if kept.database != self._database:
            log.error("the rules kept in %s are another database's and ignored", self.path)
            return None
        return kept.rules, confirmed


def _checked(content: bytes) -> bytes:
    checksum, _, written = content.partition(b"\n")
    if hashlib.sha256(written).hexdigest().encode() != checksum:
        raise ValueError("its checksum is wrong")
    return written


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fdatasync(descriptor)
