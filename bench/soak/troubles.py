"""What goes wrong, one thing after the other and each for a few seconds."""

import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from tests.postgres import TemporaryPostgres
from tests.servers import Server

DISK_MB: Final = 768
HURT_SECONDS: Final = 3.0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk that can be filled without harm: a tmpfs for root, else a folder that never fills up."""
    disk = folder / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        yield disk
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "bastion-soak", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


class Clock:
    """The wall clock of a server, to be set; it needs a C compiler.

    Not libfaketime: with it (0.9.10), ``time.sleep`` raises ``OSError`` in Python 3.11, and without true monotonic time
    this would be no clock that was set.
    """

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "clock"
        self._offset.write_bytes(struct.pack("q", 0))
        self._library = folder / "clock.so"
        self.can_jump = shutil.which("cc") is not None
        if self.can_jump:
            source = Path(__file__).with_name("clock.c")
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", self._library, source], check=True)

    def set(self, seconds: int) -> None:
        """So many seconds after the true time."""
        with self._offset.open("r+b", buffering=0) as file:
            file.write(struct.pack("q", seconds))

    @property
    def environment(self) -> dict[str, str]:
        """What has a process read this clock."""
        return {"LD_PRELOAD": str(self._library), "SOAK_CLOCK": str(self._offset)} if self.can_jump else {}


class Troubles:
    """Each method makes one kind of trouble and takes it away again."""

    def __init__(self, server: Server, disk: Path, database: TemporaryPostgres | Path, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._disk = disk
        self._database = database
        kinds: list[Callable[[], None]] = [self.worker_killed, self.database_slow, self.database_restarted]
        if clock.can_jump:
            kinds.append(self.clock_jumps)
        if os.path.ismount(disk):
            kinds += [self.disk_full, self.disk_full_and_database_away]
        self.kinds = kinds

    def worker_killed(self) -> None:
        """Always the youngest, so that the oldest lives long enough to be measured."""
        os.kill(self._server.worker_pids()[-1], signal.SIGKILL)

    def database_slow(self) -> None:
        """For longer than events wait for it: PostgreSQL is stopped, SQLite's lock is held."""
        if isinstance(self._database, TemporaryPostgres):
            self._database.freeze()
            try:
                time.sleep(HURT_SECONDS)
            finally:
                self._database.thaw()
            return
        with closing(sqlite3.connect(self._database, isolation_level=None, timeout=30)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            time.sleep(HURT_SECONDS)
            holder.execute("ROLLBACK")

    def database_restarted(self) -> None:
        """As by a crash; an SQLite file is moved away instead, and back."""
        with self._database_away():
            time.sleep(random.uniform(0, HURT_SECONDS))

    def clock_jumps(self) -> None:
        """An hour ahead, two hours back, and right again."""
        for seconds in (3600, -3600, 0):
            self._clock.set(seconds)
            time.sleep(HURT_SECONDS)

    def disk_full(self) -> None:
        with self._full_disk():
            time.sleep(HURT_SECONDS)

    def disk_full_and_database_away(self) -> None:
        """Nothing can be recorded: there must be no verdicts."""
        with self._database_away(), self._full_disk():
            time.sleep(HURT_SECONDS)

    @contextmanager
    def _database_away(self) -> Iterator[None]:
        if isinstance(self._database, TemporaryPostgres):
            self._database.kill()
            yield
            self._database.start()
            return
        elsewhere = self._database.with_suffix(".away")
        self._database.rename(elsewhere)
        yield
        elsewhere.rename(self._database)

    @contextmanager
    def _full_disk(self) -> Iterator[None]:
        filler = self._disk / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                for size in (1 << 20, 1 << 12):
                    try:
                        while True:
                            file.write(b"\0" * size)
                    except OSError:
                        continue
            yield
        finally:
            filler.unlink()
