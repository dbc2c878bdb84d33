"""The spool's files: whole lines or none, in their bounds, for one reader at a time."""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bastion.firewall.recording import EventRecord
from bastion.firewall.spool import Spool, SpoolFull, read_lines
from bastion.models import new_uid

MEGABYTE = 1024 * 1024


def record(prompt: str = "hello", *triggers: int) -> EventRecord:
    now = datetime.now(UTC)
    event: dict[str, Any] = dict.fromkeys(
        ("task_id", "source", "direction", "duration_us", "prompt_sha256", "context", "pipeline_results")
    )
    event |= {"uid": new_uid(), "prompt": prompt, "status": "allow", "flow_name": "default", "timestamp": now}
    rows = [
        {
            "rule_id": rule_id,
            "matched_text": prompt,
            "pipeline_name": "rule",
            "timestamp": now,
            "rule_version": 1,
            "action": "block",
            "severity": None,
            "spans": [[0, 1]],
            "view": "raw",
        }
        for rule_id in triggers
    ]
    return EventRecord(event, rows)


def read(path: Path) -> list[EventRecord | None]:
    with path.open("rb") as file:
        return [record for _, record in read_lines(file)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", MEGABYTE)


def test_what_is_written_is_read_again(spool: Spool) -> None:
    records = [record("naïve \U0001f600 \u2028\n\ufffd", 1, 2), record()]

    spool.append(records)

    (path,) = spool.files()
    assert read(path) == records
    assert (path.stat().st_mode & 0o777, spool.folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_nothing_is_spooled_without_an_fsync(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(
        os, "fdatasync", lambda descriptor: (synced.append(os.fstat(descriptor).st_size), real(descriptor))
    )

    spool.append([record()])
    spool.append([record(), record()])

    (path,) = spool.files()
    assert synced[-1] == path.stat().st_size
    assert len(synced) == 2


def test_it_says_how_many_wait_and_since_when(spool: Spool, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    assert (spool.waiting().events, spool.waiting().since) == (0, None)
    other_worker = Spool(spool.folder, MEGABYTE)

    spool.append([record(), record()])
    other_worker.append([record()])
    spool.release()
    spool.append([record()])

    waiting = spool.waiting()
    assert waiting.events == other_worker.waiting().events == 4
    assert waiting.since is not None
    assert abs((waiting.since - before).total_seconds()) < 60
    assert waiting.size == sum(path.stat().st_size for path in spool.files())
    spool.files()[0].unlink()
    assert spool.waiting().events < 4


def test_what_does_not_fit_is_refused_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 3000)
    spool.append([record()])

    with pytest.raises(SpoolFull, match="may have 3000"):
        spool.append([record(), record("x" * 3000)])

    (path,) = spool.files()
    assert len(read(path)) == 1
    assert 0 < spool.room() < 3000


def test_the_bound_is_of_all_workers(tmp_path: Path) -> None:
    first, second = Spool(tmp_path / "spool", 3000), Spool(tmp_path / "spool", 3000)
    first.append([record("x" * 2000)])

    with pytest.raises(SpoolFull):
        second.append([record("x" * 2000)])


def test_a_disk_that_fills_up_leaves_no_half_line(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = record("kept")
    spool.append([kept])
    real = os.write

    def half(descriptor: int, content: memoryview) -> int:
        if len(content) > 100:
            return real(descriptor, content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(SpoolFull, match="No space left"):
            spool.append([record("lost")])
    after = record("after")
    spool.append([after])

    # Files of the same millisecond have no order of their own: a replay merges them by their events.
    found = [one for path in spool.files() for one in read(path)]
    assert sorted(found, key=lambda one: one.event["uid"] if one else "") == [kept, after]


def test_a_torn_or_changed_line_is_no_event(spool: Spool) -> None:
    spool.append([record("first"), record("second"), record("third")])
    (path,) = spool.files()
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(lines[0] + lines[1].replace(b"second", b"sECond") + lines[2][:-20])

    assert [one.event["prompt"] if one else None for one in read(path)] == ["first", None, None]
    path.write_bytes(lines[0][:-1])
    assert read(path) == [None]


def test_a_file_has_an_end(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bastion.firewall.spool.FILE_BYTES", 2000)

    for _ in range(6):
        spool.append([record("x" * 1000)])

    assert len(spool.files()) == 3
    assert spool.waiting().events == 6
