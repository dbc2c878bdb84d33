"""Events stored a second by one connection, by how many share a transaction; and the bytes that one takes.

It says what the disk under a database can do for Bastion: where groups of one are slow, BASTION_THREADS helps.
"""

import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from bastion.firewall.recording import EventRecord
from bastion.firewall.storing import EventStore, event_store
from bastion.settings import load_settings
from bench.results_file import Figure, write_results
from bench.throughput import database, request_bodies
from tests.databases import KINDS, migrate
from tests.firewall.test_spool import record

GROUPS: Final = (1, 4, 16, 64, 256)
SECONDS: Final = 3.0
LEAST: Final = 20_000
"""Events, of which the size of one is told."""


def main() -> None:
    figures: list[Figure] = []
    print(
        f"{'database':12} " + " ".join(f"{f'by {group}':>9}" for group in GROUPS) + f" {'bytes each':>11}   (events/s)"
    )
    prompts = [json.loads(body)["prompt"] for body in request_bodies("prose")]
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, database(kind, folder) as url:
            migrate(url, Path(folder) / "instance")
            engine = sa.create_engine(load_settings(database_url=url).database_url)
            store = event_store(engine, "full")
            rates = [rate(store, prompts, group) for group in GROUPS]
            store.insert([event(prompts, number) for number in range(LEAST)])
            store.close()
            size = bytes_of_an_event(engine)
            engine.dispose()
        print(f"{kind:12} " + " ".join(f"{one:9,.0f}" for one in rates) + f" {size:11,.0f}", flush=True)
        figures += [
            Figure(name=f"stored by {group}, {kind}", value=one, unit="events/s", baseline=None, ratio=None)
            for group, one in zip(GROUPS, rates, strict=True)
        ]
        figures.append(Figure(name=f"size of an event, {kind}", value=size, unit="bytes", baseline=None, ratio=None))
    write_results("storing", figures)


def rate(store: EventStore, prompts: list[str], group: int) -> float:
    """Events a second, for a while."""
    stored = 0
    spent = 0.0
    while spent < SECONDS:
        records = [event(prompts, stored + number) for number in range(group)]
        started = time.perf_counter()
        store.insert(records)
        spent += time.perf_counter() - started
        stored += group
    return stored / spent


def event(prompts: list[str], number: int) -> EventRecord:
    """An event as it is for a text without a match."""
    made = record(prompts[number % len(prompts)])
    made.event.update(
        task_id=f"task-{number}",
        source="chat",
        direction="input",
        duration_us=200,
        prompt_sha256=hashlib.sha256(made.event["uid"].encode()).hexdigest(),
        pipeline_results={"status": "allow", "pipelines": []},
    )
    return made


def bytes_of_an_event(engine: sa.Engine) -> float:
    with engine.connect() as connection:
        events = connection.scalar(sa.text("SELECT count(*) FROM events")) or 1
        if engine.dialect.name == "postgresql":
            size = connection.scalar(sa.text("SELECT pg_total_relation_size('events')")) or 0
        else:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            size = Path(engine.url.database or "").stat().st_size
    return size / events


if __name__ == "__main__":
    main()
