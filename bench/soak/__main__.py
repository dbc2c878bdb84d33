"""A server under mixed load while its workers are killed, its database restarted, frozen and locked, its disk filled,
its clock set.

At the end the clients' ledger is held against the tables. It fails when an answered event is not stored exactly once
with its triggers, when an answer was not a documented one, or when the oldest worker grew by more than 10%.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from bastion.models import Event, RuleTrigger
from bastion.settings import load_settings
from bench.results_file import Figure, write_results
from bench.soak.clients import Answered, Clients, Ledger
from bench.soak.troubles import Clock, Troubles, small_disk
from tests.databases import KINDS
from tests.postgres import TemporaryPostgres
from tests.servers import Server

MAX_GROWTH: Final = 1.10
WARM_SHARE: Final = 0.33
"""Of the time, after which the oldest worker's memory is taken for what it needs."""

REST_SECONDS: Final = 4.0
"""Between two troubles, for everything to come back."""

BACK_SECONDS: Final = 300
WORKERS: Final = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="of load, for each database")
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    figures: list[Figure] = []
    faults: list[str] = []
    for kind in KINDS:
        if options.only in (None, kind):
            measured, wrong = soak(kind, options.seconds)
            figures += measured
            faults += [f"{kind}: {one}" for one in wrong]
    write_results("soak", figures)
    for fault in faults[:40]:
        print(fault, file=sys.stderr)
    if faults:
        raise SystemExit(f"{len(faults)} faults")


def soak(kind: str, seconds: int) -> tuple[list[Figure], list[str]]:
    with tempfile.TemporaryDirectory(prefix="bastion-soak-") as folder, small_disk(Path(folder)) as disk:
        if kind == "sqlite":
            database: TemporaryPostgres | Path = disk / "soak.db"
            url = f"sqlite:///{database}"
        else:
            database = TemporaryPostgres(durable=True)
            url = database.url
        clock = Clock(Path(folder))
        if not clock.can_jump:
            print("the clock does not jump: that needs a C compiler")
        server = Server(url, disk / "instance", BASTION_WORKERS=str(WORKERS), BASTION_THREADS="8", **clock.environment)
        try:
            return run(kind, server, Troubles(server, disk, database, clock), url, seconds)
        finally:
            server.stop()
            if isinstance(database, TemporaryPostgres):
                database.stop()


def run(kind: str, server: Server, troubles: Troubles, url: str, seconds: int) -> tuple[list[Figure], list[str]]:
    clients = Clients(server)
    oldest = server.worker_pids()[0]
    began = time.monotonic()
    made: Counter[str] = Counter()
    warm = 0
    clients.start()
    while (passed := time.monotonic() - began) < seconds:
        if not warm and passed > seconds * WARM_SHARE:
            warm = resident_bytes(oldest)
        trouble = troubles.kinds[made.total() % len(troubles.kinds)]
        print(f"{passed:6.0f} s  {len(clients.ledger.answered):8,} answered  {trouble.__name__}", flush=True)
        trouble()
        made[trouble.__name__] += 1
        time.sleep(REST_SECONDS)
    clients.stop()
    grown = resident_bytes(oldest) / warm if warm else 1.0
    wait_until_back(server)
    ledger = clients.ledger
    faults = [*ledger.unexpected, *differences(ledger.answered, url)]
    if grown > MAX_GROWTH:
        faults.append(f"the oldest worker grew to {grown:.2f} of its memory")
    return report(kind, ledger, made, grown, faults), faults


def wait_until_back(server: Server) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while any((server.instance / "spool").glob("*.jsonl")):
        if time.monotonic() > deadline:
            raise SystemExit(f"events still wait in the spool after {BACK_SECONDS} s\n{server.log[-4000:]}")
        time.sleep(0.2)


def differences(answered: list[Answered], url: str) -> list[str]:
    """What the ledger says and the tables do not."""
    engine = sa.create_engine(load_settings(database_url=url).database_url)
    triggers = sa.select(sa.func.count()).where(RuleTrigger.event_id == Event.id).scalar_subquery()
    with engine.connect() as connection:
        rows = connection.execute(sa.select(Event.uid, Event.task_id, Event.status, triggers)).all()
    engine.dispose()
    times = Counter(row[0] for row in rows)
    stored = {row[0]: tuple(row[1:]) for row in rows}
    found = [f"{uid} is stored {count} times" for uid, count in times.items() if count != 1]
    for one in answered:
        if one.uid not in stored:
            found.append(f"{one} is not stored")
        elif stored[one.uid] != (one.task_id, one.status, one.triggers):
            found.append(f"{one} is stored as {stored[one.uid]}")
    print(f"{len(answered):,} events answered, {len(rows):,} stored: some were stored when their worker was killed")
    return found


def resident_bytes(pid: int) -> int:
    """What a process has in memory that is its own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def report(kind: str, ledger: Ledger, made: Counter[str], grown: float, faults: list[str]) -> list[Figure]:
    spooled = sum(one.spooled for one in ledger.answered)
    print(f"{kind}: {len(ledger.answered):,} answered, {spooled:,} of them spooled; refused: {dict(ledger.refused)};")
    print(
        f"  {ledger.broken} connections broken by killed workers; slowest answer {ledger.slowest:.1f} s; {dict(made)}"
    )
    print(f"  the oldest worker has {grown:.3f} of the memory that it had; {len(faults)} faults", flush=True)
    values = {
        "answered events": (len(ledger.answered), "events"),
        "spooled events": (spooled, "events"),
        "documented refusals": (ledger.refused.total(), "answers"),
        "faults": (len(faults), "faults"),
        "slowest answer": (ledger.slowest, "s"),
        "memory of the oldest worker": (grown, "of a third of the time"),
    }
    return [
        Figure(name=f"{name}, {kind}", value=value, unit=unit, baseline=None, ratio=None)
        for name, (value, unit) in values.items()
    ]


if __name__ == "__main__":
    main()
