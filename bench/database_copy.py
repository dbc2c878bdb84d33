r"""How fast ``flask database copy`` is, both ways, and that a copy which was killed half way ends up equal.

The baseline is the quickest way into the same tables, indexes and foreign keys: psql's ``\copy`` of files that lie
ready into PostgreSQL, ``INSERT ... SELECT`` from another file into SQLite. It neither converts nor compares.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path

import sqlalchemy as sa

from bastion.services.copying import Copied, copy_database
from bastion.settings import sync_database_url
from bench.many_rows import fill
from bench.results_file import Figure, write_results
from tests.conftest import ROOT, clean_environment
from tests.databases import migrate
from tests.postgres import TemporaryPostgres
from tests.services.copying.contents import TABLES, content, counts

EVENTS = int(os.environ.get("EVENTS", "100000"))


class Seconds:
    """A bar that measures: ``spent["Copying"]`` and ``spent["Comparing"]``."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, _length: int, label: str) -> Iterator[Callable[[int], None]]:
        started = time.monotonic()
        yield lambda _rows: None
        self.spent[label.split(maxsplit=1)[0]] += time.monotonic() - started


def main() -> None:
    figures = []
    server = TemporaryPostgres(durable=True)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        first = f"sqlite:///{folder}/first.db"
        migrate(first, Path(folder))
        engine = sa.create_engine(sync_database_url(first))
        fill(engine, EVENTS)
        engine.dispose()
        tell(f"{'':24} {'rows':>9} {'copied/s':>9} {'baseline/s':>11} {'compared/s':>11}   killed, then went on")
        served = [server.url_of(name) for name in ("a", "b", "c")]
        figures += measure("sqlite to postgresql", first, served, server, Path(folder))
        files = [f"sqlite:///{folder}/{name}.db" for name in ("a", "b", "c")]
        figures += measure("postgresql to sqlite", served[0], files, server, Path(folder))
    server.stop()
    write_results("database_copy", figures)


def tell(line: str) -> None:
    """Prints to where the migrations do not."""
    print(line, file=sys.__stdout__, flush=True)


def measure(name: str, source: str, targets: list[str], server: TemporaryPostgres, folder: Path) -> list[Figure]:
    for target in targets:
        if target.startswith("postgresql"):
            server.psql("postgres", "-c", f"CREATE DATABASE {target.rpartition('/')[2]}")
        migrate(target, folder)
    took, copied = timed_copy(source, targets[0])
    rows = sum(table.content.rows for table in copied)
    kill_half_way(source, targets[1])
    half = sum(counts(targets[1]).values())
    resumed, _ = timed_copy(source, targets[1])
    assert content(source) == content(targets[1]) == content(targets[0])
    baseline = rows / (bulk_into_postgres(server, folder) if "postgresql" in targets[0] else bulk_into_sqlite(folder))
    copying, comparing = (rows / took.spent[what] for what in ("Copying", "Comparing"))
    tell(
        f"{name:24} {rows:9,} {copying:9,.0f} {baseline:11,.0f} {comparing:11,.0f}   "
        f"{half:,} rows were there, {sum(resumed.spent.values()):.1f} s: equal"
    )
    return [
        Figure(
            name=f"{name}, copying",
            value=round(copying),
            unit="rows/s",
            baseline="the database's own bulk insert",
            ratio=round(copying / baseline, 2),
        ),
        Figure(name=f"{name}, comparing", value=round(comparing), unit="rows/s", baseline=None, ratio=None),
    ]


def bulk_into_postgres(server: TemporaryPostgres, folder: Path) -> float:
    for table in TABLES:
        server.psql("a", "-c", f"\\copy {table} TO '{folder}/{table}'")
    started = time.monotonic()
    for table in TABLES:
        server.psql("c", "-c", f"\\copy {table} FROM '{folder}/{table}'")
    return time.monotonic() - started


def bulk_into_sqlite(folder: Path) -> float:
    with closing(sqlite3.connect(folder / "c.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-262144")
        connection.execute("ATTACH ? AS other", (str(folder / "a.db"),))
        started = time.monotonic()
        for table in TABLES:
            connection.execute(f"INSERT INTO {table} SELECT * FROM other.{table}")
        return time.monotonic() - started


def timed_copy(source: str, target: str) -> tuple[Seconds, list[Copied]]:
    seconds = Seconds()
    return seconds, copy_database(sync_database_url(source), sync_database_url(target), migrate_nothing, seconds)


def migrate_nothing(url: str) -> None:
    raise AssertionError(f"{url} has its schema")


def kill_half_way(source: str, target: str) -> None:
    urls = map(sync_database_url, (source, target))
    command = [sys.executable, "-m", "tests.services.copying.killed", *urls, str(EVENTS // 2)]
    killed = subprocess.run(command, cwd=ROOT, env=clean_environment(), check=False)
    assert killed.returncode == -signal.SIGKILL


if __name__ == "__main__":
    main()
