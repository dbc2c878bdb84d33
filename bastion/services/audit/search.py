"""Reading the audit log backwards: the newest lines first, in bounded steps."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

BLOCK: Final = 64 * 1024
MAX_READ: Final = 8 * 1024 * 1024
"""How much of the file one page looks through; the next page goes on from there."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What the list is narrowed to: parts compose. ``text`` is looked for anywhere in a line, whatever its case."""

    who: str | None = None
    action: str | None = None
    text: str | None = None
    since: date | None = None
    until: date | None = None

    def fits(self, entry: dict[str, Any], line: str) -> bool:
        if self.who and entry.get("who") != self.who:
            return False
        if self.action and not str(entry.get("action", "")).startswith(self.action):
            return False
        if self.text and self.text.casefold() not in _readable(entry, line):
            return False
        day = str(entry.get("time", ""))[:10]
        return not (self.since and day < self.since.isoformat()) and not (self.until and day > self.until.isoformat())


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first. ``older`` is where the next page begins, ``None`` at the file's beginning; ``complete``
    says that the page is full or the file at its end, and not that it looked through as much as one page may.
    """

    entries: tuple[dict[str, Any], ...]
    older: int | None
    complete: bool


def page_of_audit(path: Path, narrowed: AuditFilter, *, per_page: int, before: int | None = None) -> AuditPage:
    """The entries that fit among those that stand before that byte of the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return AuditPage((), None, complete=True)
    found: list[dict[str, Any]] = []
    with open(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        end = size if before is None else min(before, size)
        start = end
        for start, line in _lines_backwards(file, end):
            entry = _entry(line)
            if narrowed.fits(entry, line):
                found.append(entry)
            if len(found) >= per_page or end - start > MAX_READ:
                break
    return AuditPage(tuple(found), start or None, complete=start == 0 or len(found) >= per_page)


def _lines_backwards(file: Any, end: int) -> Iterator[tuple[int, str]]:
    """Each line before ``end`` with the place where it begins, the last one first."""
    tail = b""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        block = file.read(end - start) + tail
        lines = block.split(b"\n")
        # The first may have begun before this block.
        tail = lines.pop(0) if start else b""
        place = start + len(block)
        for line in reversed(lines):
            place -= len(line)
            if line:
                yield place, line.decode("utf-8", "replace")
            place -= 1
        end = start


def _entry(line: str) -> dict[str, Any]:
    """A line as it was written; one that somebody else wrote shows as it is."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    return entry if isinstance(entry, dict) else {"action": "unreadable", "detail": line[:1000]}


def _readable(entry: dict[str, Any], line: str) -> str:
    """The line without JSON's escapes, so that what is not ASCII can be looked for."""
    return (json.dumps(entry, ensure_ascii=False) if "\\u" in line else line).casefold()


def time_of(entry: dict[str, Any]) -> datetime | None:
    """When an entry was written, if it says so."""
    try:
        moment = datetime.fromisoformat(str(entry.get("time")))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
