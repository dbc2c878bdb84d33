"""What ``BASTION_RETENTION_DAYS`` asks for: once a day, by one worker of a host, and one host at a time."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bastion.models import utc_now
from bastion.services.audit.log import Note, no_note
from bastion.services.events.retention import Old, prune

log = logging.getLogger(__name__)

DAY_SECONDS: Final = 24 * 3600
LOOK_SECONDS: Final = 300

_ADVISORY_LOCK: Final = 0x626173747072756E
"""Any number that other programs on the same PostgreSQL do not use: "bastprun" in ASCII."""


class DailyPruning:
    """A thread in each worker that serves; the file's lock decides which of them prunes, its date when."""

    def __init__(self, database: sa.Engine, instance: Path, days: int, note: Note = no_note) -> None:
        self._database = database
        self._note = note
        self._path = instance / "pruned"
        self._days = days

    def start(self) -> None:
        if self._days:
            threading.Thread(target=self._watch, name="retention", daemon=True).start()

    def run_if_due(self) -> int | None:
        """Prunes and returns how many events went; ``None`` when it was done less than a day ago or is being done."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+", encoding="ascii") as done:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            last = done.read().strip()
            if last.isdigit() and 0 <= time.time() - int(last) < DAY_SECONDS:
                return None
            with _alone_among_hosts(self._database) as alone:
                if not alone:
                    return None
                deleted = prune(self._database, Old(utc_now() - timedelta(days=self._days)))
            done.seek(0)
            done.truncate()
            done.write(f"{int(time.time())}\n")
            return deleted

    def _watch(self) -> None:
        while True:
            try:
                deleted = self.run_if_due()
                if deleted is not None:
                    self._note("events.pruned", detail={"rows": deleted, "older_than_days": self._days})
                    log.info("%d events were older than %d days and are deleted", deleted, self._days)
            except (SQLAlchemyError, OSError) as error:
                log.error("old events could not be deleted, tried again in a while: %s", type(error).__name__)
            except Exception:  # The thread's outermost edge.
                log.exception("old events could not be deleted")
            time.sleep(LOOK_SECONDS)


@contextmanager
def _alone_among_hosts(database: sa.Engine) -> Iterator[bool]:
    if database.dialect.name != "postgresql":
        yield True
        return
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        alone = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_ADVISORY_LOCK))))
        try:
            yield alone
        finally:
            if alone:
                connection.scalar(sa.select(sa.func.pg_advisory_unlock(_ADVISORY_LOCK)))
