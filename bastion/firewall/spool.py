"""Events that the database cannot take, in files until it can: written and fsynced before their texts are answered.

A worker appends to a file of its own, which it holds locked while it does. Files that nobody holds, because they are
closed or because their worker died, are for whoever replays. A line is the CRC-32 of a record and the record, as JSON.
"""

import fcntl
import json
import logging
import os
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from bastion.firewall.recording import EventRecord

log = logging.getLogger(__name__)

FILE_BYTES: Final = 16 * 1024 * 1024
"""A file is closed when it has so many, so that a replay can delete what it has done."""

COUNTED_SECONDS: Final = 1.0
"""How old the size of all workers' files may be that the limit is held to."""

_SUFFIX: Final = ".jsonl"
_SEPARATOR: Final = b" "


class SpoolFull(Exception):
    """The spool has as many bytes as it may have, or its disk can take no more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be stored, by all workers of this host: how many events, since when, in how many bytes."""

    events: int
    since: datetime | None
    size: int


class Spool:
    """The folder ``instance/spool``. One object a process."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0
        self._counted_at = 0.0
        self._counted = 0
        self._lines: dict[str, tuple[int, int]] = {}

    def append(self, records: Sequence[EventRecord]) -> None:
        """Writes the events; when it returns, a power cut cannot take them.

        Raises:
            SpoolFull: when not all of them fit; then none is there.
        """
        lines = b"".join(as_line(record) for record in records)
        with self._lock:
            if self._bytes_of_all() + len(lines) > self.max_bytes:
                raise SpoolFull(f"the spool has {self._counted} bytes, and may have {self.max_bytes}")
            try:
                descriptor = self._opened()
                left = memoryview(lines)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fdatasync(descriptor)
            except OSError as error:
                self._take_back()
                raise SpoolFull(f"the spool cannot be written ({error.strerror})") from error
            self._size += len(lines)
            self._counted += len(lines)
            if self._size >= FILE_BYTES:
                self._close()

    def release(self) -> None:
        """Lets go of this process's file, so that it can be replayed."""
        with self._lock:
            self._close()

    def waiting(self) -> Waiting:
        """What waits, of all workers."""
        files = self.files()
        events = 0
        size = 0
        with self._lock:
            self._lines = {path.name: self._lines.get(path.name, (0, 0)) for path in files}
            for path in files:
                try:
                    size += path.stat().st_size
                    events += self._count(path)
                except FileNotFoundError:
                    continue
        return Waiting(events, _made_at(files[0]) if files else None, size)

    def room(self) -> int:
        """How many bytes more it can take: what it may have, or what its disk has."""
        folder = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        disk = os.statvfs(folder)
        with self._lock:
            return max(0, min(self.max_bytes - self._bytes_of_all(), disk.f_bavail * disk.f_frsize))

    def files(self) -> list[Path]:
        """The files of all workers, the oldest first."""
        # A name with a dot before it is that of a file which is being made.
        return sorted(self.folder.glob(f"[!.]*{_SUFFIX}"))

    def _count(self, path: Path) -> int:
        """The lines of a file, of which only those are read that were not counted before."""
        offset, lines = self._lines[path.name]
        with path.open("rb") as file:
            file.seek(offset)
            while piece := file.read(1 << 20):
                lines += piece.count(b"\n")
                offset += len(piece)
        self._lines[path.name] = (offset, lines)
        return lines

    def _bytes_of_all(self) -> int:
        now = time.monotonic()
        if now - self._counted_at > COUNTED_SECONDS:
            self._counted_at = now
            self._counted = sum(_size(path) for path in self.files())
        return self._counted

    def _opened(self) -> int:
        if self._file is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = f"{time.time_ns() // 1_000_000:015}-{os.getpid()}-{os.urandom(3).hex()}{_SUFFIX}"
            # Locked before it has a name that a replay looks for: an empty file that nobody holds is deleted.
            hidden = self.folder / f".{name}"
            descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file, self._size = descriptor, 0
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            hidden.rename(self.folder / name)
            sync_folder(self.folder)
        return self._file

    def _take_back(self) -> None:
        """Leaves nothing of events that were not wholly written: their texts get no answer."""
        if self._file is not None:
            try:
                os.ftruncate(self._file, self._size)
            except OSError:
                log.error("what was half written to the spool stays there; a replay will put it aside")
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_lines(file: IO[bytes]) -> Iterator[tuple[bytes, EventRecord | None]]:
    """The lines of a file, each with its event, or with ``None`` where it is damaged or was not written to its end."""
    for line in file:
        yield line, _record(line)


def sync_folder(folder: Path) -> None:
    """Makes names that were given or taken in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def as_line(record: EventRecord) -> bytes:
    """The event as a line of the spool."""
    content = json.dumps(
        {"event": record.event, "triggers": record.triggers}, separators=(",", ":"), default=datetime.isoformat
    ).encode("ascii")
    return b"%08x%b%b\n" % (zlib.crc32(content), _SEPARATOR, content)


def _record(line: bytes) -> EventRecord | None:
    checksum, _, content = line.removesuffix(b"\n").partition(_SEPARATOR)
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(content):
        return None
    try:
        kept: dict[str, Any] = json.loads(content)
        for row in (kept["event"], *kept["triggers"]):
            row["timestamp"] = datetime.fromisoformat(row["timestamp"])
        return EventRecord(kept["event"], kept["triggers"])
    except (ValueError, KeyError, TypeError):
        return None


def _made_at(path: Path) -> datetime | None:
    milliseconds, _, _ = path.name.partition("-")
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds.isdigit() else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
