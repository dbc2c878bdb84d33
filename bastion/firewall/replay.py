"""Spooled events on their way into the database: once each, in their order, by one process of a host at a time."""

import fcntl
import heapq
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final

from bastion.firewall.recording import EventRecord
from bastion.firewall.spool import Spool, as_line, read_lines, sync_folder
from bastion.firewall.storing import DATA_FAULTS, EventStore, insert_once

log = logging.getLogger(__name__)

BATCH: Final = 200
"""Events in one transaction: while it runs, new ones wait on SQLite."""

MAX_FILES: Final = 64
"""Read side by side; those beyond follow."""


@dataclass
class _OpenFile:
    path: Path
    file: IO[bytes]
    finished: bool = False
    damaged: list[bytes] = field(default_factory=list)


class Replay:
    """Replays a spool's files into a store, which is for this alone."""

    def __init__(self, spool: Spool, store: EventStore, stopping: Callable[[], bool] = lambda: False) -> None:
        self._spool = spool
        self._store = store
        self._stopping = stopping

    def run(self) -> int:
        """Stores what nobody appends to any more and deletes its files; returns how many events were stored.

        An interruption loses nothing: what was stored is known by its uid when its file is read again.

        Raises:
            DATABASE_FAULTS: when the database cannot take them; what is left stays.
        """
        if not self._spool.files():
            return 0
        with self._alone() as alone:
            stored = 0
            while alone and not self._stopping():
                done = self._pass()
                if done is None:
                    break
                stored += done
            return stored

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with open(self._spool.folder / "replay.lock", "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _pass(self) -> int | None:
        """Files that can be had, merged by the time of their events; ``None`` when there are none."""
        with ExitStack() as stack:
            files = list(islice(self._held(stack), MAX_FILES))
            if not files:
                return None
            merged = heapq.merge(*(self._records(one) for one in files), key=lambda record: record.event["uid"])
            stored = 0
            while batch := list(islice(merged, BATCH)):
                self._store_batch(batch)
                stored += len(batch)
                self._drop(files)
                if self._stopping():
                    return stored
            self._drop(files)
            return stored

    def _held(self, stack: ExitStack) -> Iterator[_OpenFile]:
        for path in self._spool.files():
            try:
                file = stack.enter_context(path.open("rb"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (FileNotFoundError, BlockingIOError):
                continue
            yield _OpenFile(path, file)

    @staticmethod
    def _records(one: _OpenFile) -> Iterator[EventRecord]:
        for line, record in read_lines(one.file):
            if record is None:
                one.damaged.append(line)
            else:
                yield record
        one.finished = True

    def _drop(self, files: list[_OpenFile]) -> None:
        """Deletes the files whose last event is stored. What was damaged in them is kept beside."""
        for one in [one for one in files if one.finished]:
            if one.damaged:
                self._put_aside(one.path.name, one.damaged)
                log.error(
                    "%d lines of the spool's file %s are damaged or were never finished, and are kept in %s: "
                    "an unfinished one was never answered",
                    len(one.damaged),
                    one.path.name,
                    self._spool.folder / "aside",
                )
            one.path.unlink()
            files.remove(one)

    def _store_batch(self, batch: Sequence[EventRecord]) -> None:
        try:
            insert_once(self._store, batch)
        except DATA_FAULTS:
            for record in batch:
                self._store_alone(record)

    def _store_alone(self, record: EventRecord) -> None:
        try:
            insert_once(self._store, [record])
        except DATA_FAULTS as error:
            self._put_aside("refused", [as_line(record)])
            log.error(
                "the database refuses the spooled event %s (%s), which is kept in %s",
                record.event["uid"],
                type(error).__name__,
                self._spool.folder / "aside",
            )

    def _put_aside(self, name: str, lines: Sequence[bytes]) -> None:
        aside = self._spool.folder / "aside"
        aside.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(aside / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(descriptor, "ab") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(descriptor)
        sync_folder(aside)
