"""The restore drill: back up under load by ``deploy/backup.sh``, restore elsewhere by ``deploy/restore.sh``, compare.

What was answered before the back-up began has to be in it; what it holds has to be what the original holds, row by row;
and a server on it has to judge, with the accounts and tokens that there were, and to store what waited in the spool.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from bastion.engine import Status
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.firewall.recording import EventRecord
from bastion.firewall.spool import Spool
from bastion.models import Event, Rule, RuleTrigger, new_uid, utc_now
from bastion.settings import load_settings
from bench.results_file import Figure, write_results
from bench.soak.clients import ATTACK, Clients
from tests.conftest import ROOT
from tests.databases import KINDS
from tests.postgres import TemporaryPostgres, binaries
from tests.servers import Server

LOAD_SECONDS: Final = 10
REPLAY_SECONDS: Final = 30

Rows = dict[int, tuple[Any, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=LOAD_SECONDS, help="of load before the back-up")
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    figures: list[Figure] = []
    print(f"{'':12} {'answered':>9} {'in it':>8} {'after it':>9} {'back-up s':>10} {'restore s':>10}")
    for kind in KINDS:
        if options.only in (None, kind):
            with tempfile.TemporaryDirectory(prefix="bastion-drill-") as folder:
                figures += drill(kind, Path(folder), options.seconds)
    write_results("restore_drill", figures)


def drill(kind: str, folder: Path, seconds: int) -> list[Figure]:
    database = TemporaryPostgres() if kind == "postgresql" else None
    url = database.url if database else f"sqlite:///{folder}/one/bastion.db"
    original = Server(url, folder / "one")
    try:
        clients = Clients(original)
        clients.start()
        time.sleep(seconds)
        answered = {one.uid for one in list(clients.ledger.answered)}
        # Held by this process, so that nobody replays it here: what waits comes back by the back-up alone.
        spooled = new_uid()
        Spool(original.instance / "spool", 1 << 24).append([waiting_event(spooled)])
        backup_seconds = run_script("backup.sh", url, original.instance, folder / "backup")
        time.sleep(1)
        clients.stop()
        if clients.ledger.unexpected or clients.ledger.refused:
            raise SystemExit(f"the load was disturbed: {clients.ledger.unexpected} {clients.ledger.refused}")
        if database:
            database.psql("postgres", "-c", "CREATE DATABASE restored")
        restored_url = database.url_of("restored") if database else f"sqlite:///{folder}/two/bastion.db"
        restore_seconds = run_script("restore.sh", restored_url, folder / "two", folder / "backup")
        found = compare(url, restored_url, answered)
        serve(restored_url, folder / "two", original, spooled)
    finally:
        original.stop()
        if database:
            database.stop()
    after = len(clients.ledger.answered) - found
    print(
        f"{kind:12} {len(answered):9,} {found:8,} {after:9,} {backup_seconds:10.1f} {restore_seconds:10.1f}", flush=True
    )
    return [
        Figure(name=f"{name} of {found:,} events, {kind}", value=value, unit="s", baseline=None, ratio=None)
        for name, value in (("back-up under load", backup_seconds), ("restore", restore_seconds))
    ]


def run_script(name: str, url: str, instance: Path, backup: Path) -> float:
    """Runs a script of ``deploy/`` as an operator would; returns how many seconds it took."""
    path = f"{binaries()}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "DATABASE_URL": url, "BASTION_INSTANCE": str(instance)}
    started = time.monotonic()
    done = subprocess.run(
        ["sh", ROOT / "deploy" / name, backup], env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - started


def compare(url: str, restored_url: str, answered: set[str]) -> int:
    """Holds every restored row against the original's; returns how many events were restored."""
    for table in (Event.__table__, RuleTrigger.__table__):
        originals, restored = rows_of(url, table), rows_of(restored_url, table)
        if wrong := [row_id for row_id, row in restored.items() if originals.get(row_id) != row]:
            raise SystemExit(f"{len(wrong)} rows of {table} are not what they were, the first is {wrong[0]}")
        if table is Event.__table__:
            place = [column.name for column in table.columns].index("uid")
            found = {row[place] for row in restored.values()}
    if lost := answered - found:
        raise SystemExit(f"{len(lost)} events were answered before the back-up began and are not in it")
    if not rows_of(restored_url, Rule.__table__):
        raise SystemExit("no rule was restored")
    engine = sa.create_engine(load_settings(database_url=restored_url).database_url)
    with engine.connect() as connection:
        promised = connection.scalar(sa.select(sa.func.count()).where(Event.status == "block"))
        kept = connection.scalar(sa.select(sa.func.count(RuleTrigger.event_id.distinct())))
    engine.dispose()
    if promised != kept:
        raise SystemExit(f"{promised} events were blocked, {kept} have triggers: an event was torn from its triggers")
    return len(found)


def rows_of(url: str, table: Any) -> Rows:
    engine = sa.create_engine(load_settings(database_url=url).database_url)
    with engine.connect() as connection:
        rows = {row.id: tuple(row) for row in connection.execute(sa.select(table))}
    engine.dispose()
    return rows


def waiting_event(uid: str) -> EventRecord:
    """An event as the spool holds it while the database is away."""
    event = dict.fromkeys(Event.__table__.columns.keys())
    del event["id"]
    known = {"uid": uid, "status": Status.ALLOW.value, "flow_name": DEFAULT_FLOW, "timestamp": utc_now()}
    return EventRecord({**event, **known})


def serve(url: str, instance: Path, original: Server, spooled: str) -> None:
    """The restored Bastion judges, knows the token of the one that was lost, and stores what waited in its spool."""
    restored = Server(url, instance, token=original.token)
    try:
        if restored.status_of(ATTACK) != "block":
            raise SystemExit("the restored server does not block what the original blocks")
        deadline = time.monotonic() + REPLAY_SECONDS
        while restored.call("GET", f"/events/{spooled}")[0] != 200:
            if time.monotonic() > deadline:
                raise SystemExit("what waited in the spool has not come back")
            time.sleep(0.1)
    finally:
        restored.stop()


if __name__ == "__main__":
    main()
