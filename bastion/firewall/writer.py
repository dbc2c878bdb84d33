"""Events into the database, or into the spool while it is away: a text is answered when one of them has its event."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bastion.errors import NotRecorded
from bastion.firewall.grouping import Grouped, NotDoneInTime, Take
from bastion.firewall.recording import EventRecord
from bastion.firewall.replay import Replay
from bastion.firewall.spool import Spool, SpoolFull
from bastion.firewall.storing import DATA_FAULTS, DATABASE_FAULTS, EventStore, insert_once
from bastion.metrics import Metrics
from bastion.models import utc_now

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 4.0
"""The longest that a text waits for the database. Then its event is spooled, and if it was stored after all, known."""

SPOOL_SECONDS: Final = 10.0
"""The longest that a text waits for the spool, whose disk may be slow: then it has no answer."""

TICK_SECONDS: Final = 1.0

Ids = list[int | None]
"""The ids of stored events, in their order, with ``None`` for each that was spooled."""


@dataclass(frozen=True, slots=True)
class Away:
    """Why the database takes no events at the moment, and since when."""

    since: datetime
    reason: str


class Recorder:
    """Records what texts were answered. Its connections and its thread begin with the first use in a process."""

    def __init__(self, open_store: Callable[[], EventStore], spool: Spool, metrics: Metrics) -> None:
        self.spool = spool
        self.away: Away | None = None
        self._open_store = open_store
        self._metrics = metrics
        self._starting = threading.Lock()
        self._process = 0
        self._stopped = threading.Event()

    def record(self, records: Sequence[EventRecord]) -> Ids:
        """Stores the events in one transaction, or spools them.

        A rule may be deleted between the scan and here. Its trigger has no row to belong to then and is left
        out; the event's ``pipeline_results`` still say that it matched.

        Raises:
            NotRecorded: when neither can take them; then none is kept.
        """
        if not records:
            return []
        self.start()
        if self.away is None:
            try:
                return self._database.do(records, PATIENCE_SECONDS)
            except NotDoneInTime:
                self._note_away(f"it did not answer within {PATIENCE_SECONDS:.0f} s")
        return self._to_spool(records)

    def start(self) -> None:
        """Begins the work in the background, if this process has not yet: events may wait from before a crash."""
        if self._process == os.getpid():
            return
        with self._starting:
            if self._process == os.getpid():
                return
            self._store, self._replaying = self._open_store(), self._open_store()
            self._database: Grouped[Sequence[EventRecord], Ids] = Grouped(self._store_together)
            self._files: Grouped[Sequence[EventRecord], Ids] = Grouped(self._spool_together)
            self._stopped = threading.Event()
            self._keeper = threading.Thread(target=self._keep, name="spool", daemon=True)
            self._keeper.start()
            self._process = os.getpid()

    def stop(self) -> None:
        """Ends the thread and leaves the spool to whoever comes next."""
        if self._process == os.getpid():
            self._stopped.set()
            self._keeper.join(PATIENCE_SECONDS)
            if self._keeper.is_alive():
                self._replaying.cut()
                self._keeper.join(PATIENCE_SECONDS)
            self.spool.release()
            self._store.close()

    def let_go_of_slow(self) -> None:
        """Ends a wait of texts that the database itself puts no end to: for a synchronous standby that is gone, say.

        What the thread of the spool waits for is left to it: a cut connection stays with PostgreSQL until it can
        commit, and one that waits says as well as many that it cannot.
        """
        if self._process == os.getpid() and self._store.waiting_seconds() > PATIENCE_SECONDS:
            self._note_away(f"it takes longer than {PATIENCE_SECONDS:.0f} s to commit")
            self._store.cut()

    def interrupt(self, reason: str) -> None:
        """Ends whatever waits for the database; called when it is known not to answer."""
        self._note_away(reason)
        if self._process == os.getpid():
            self._store.cut()
            self._replaying.cut()

    def _store_together(self, take: Take[Sequence[EventRecord]]) -> Sequence[Ids | BaseException]:
        """One transaction for all, unless the rows of one are at fault, which then fails alone."""
        try:
            # Who comes while others hold SQLite's lock is stored with those who wait for it.
            self._store.begin()
        except DATABASE_FAULTS as error:
            self._note_fault(error)
            return [self._spooled(task) for task in take()]
        tasks = take()
        records = [record for task in tasks for record in task]
        started = time.perf_counter()
        try:
            ids = self._store.insert(records)
        except DATA_FAULTS:
            return [self._store_alone(task) for task in tasks]
        except DATABASE_FAULTS as error:
            self._note_fault(error)
            return [self._spooled(task) for task in tasks]
        self._metrics.committed(time.perf_counter() - started, len(records))
        found = iter(ids)
        return [[next(found) for _ in task] for task in tasks]

    def _store_alone(self, task: Sequence[EventRecord]) -> Ids | BaseException:
        try:
            return [*insert_once(self._store, task)]
        except DATA_FAULTS as error:
            return NotRecorded(f"the event could not be stored ({type(error).__name__})")
        except DATABASE_FAULTS as error:
            self._note_fault(error)
            return self._spooled(task)

    def _spooled(self, task: Sequence[EventRecord]) -> Ids | BaseException:
        try:
            return self._to_spool(task)
        except NotRecorded as error:
            return error

    def _to_spool(self, records: Sequence[EventRecord]) -> Ids:
        try:
            return self._files.do(records, SPOOL_SECONDS)
        except NotDoneInTime:
            raise NotRecorded("the event could be neither stored nor spooled in time") from None

    def _spool_together(self, take: Take[Sequence[EventRecord]]) -> Sequence[Ids | BaseException]:
        tasks = take()
        try:
            self.spool.append([record for task in tasks for record in task])
        except SpoolFull as error:
            away = self.away
            log.error("EVENTS ARE REFUSED: the database takes none (%s), and %s", away.reason if away else "-", error)
            return [NotRecorded(f"the event could not be stored: {error}") for _ in tasks]
        for task in tasks:
            self._metrics.spooled(len(task))
        return [[None for _ in task] for task in tasks]

    def _note_fault(self, error: BaseException) -> None:
        self._note_away(f"{type(error).__name__}: {_first_line(error)}")

    def _note_away(self, reason: str) -> None:
        if self.away is None:
            self.away = Away(utc_now(), reason)
            log.error("the database takes no events, they are spooled to %s: %s", self.spool.folder, reason)

    def _keep(self) -> None:
        """The thread: looks whether the database is back, and brings it what waits."""
        replay = Replay(self.spool, self._replaying, self._stopped.is_set)
        while not self._stopped.is_set():
            try:
                self._bring(replay)
            except DATABASE_FAULTS as error:
                self._note_fault(error)
            except Exception:  # The thread's outermost edge: without it, events would silently wait for ever.
                log.exception("the spool could not be replayed, its events wait")
            # It is not needed for as long as the database is there.
            self._replaying.close()
            self._stopped.wait(TICK_SECONDS)

    def _bring(self, replay: Replay) -> None:
        away = self.away
        if away is not None:
            self._replaying.probe()
            self.away = None
            log.warning("the database takes events again; it did not since %s", away.since.isoformat())
        if self.spool.files():
            self.spool.release()
            if stored := replay.run():
                log.warning("%d spooled events are stored", stored)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]
