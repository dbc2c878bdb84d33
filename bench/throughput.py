"""Texts a second, each judged by 60 rules, or by all that ship, and its event committed before the answer.

Beside it, in the same minute and on as many workers and threads, a bare Flask route that does nothing: DESIGN wants at
least half its rate, and the 99th percentile under 25 ms at 32 connections. With ``--aidr URL`` an AIDR
Bastion takes its turn too, with the rules that it has; docs/scaling.md says how to start one.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Rule
from bastion.settings import load_settings
from bench.realistic_prompts import generated_prompts, plain_prose
from bench.results_file import Figure, write_results
from bench.wrk import Load, put_load
from tests.conftest import ROOT
from tests.databases import KINDS
from tests.postgres import TemporaryPostgres
from tests.servers import BIN, Server

PROMPT_BYTES: Final = 1024
WORKERS: Final = 2
BUDGET_RATIO: Final = 0.5
BUDGET_P99_MS: Final = 25.0
RULES: Final = 60
CASES: Final = (("prose", RULES), ("mixed", RULES), ("mixed", None))
"""Which prompts, and by how many of the rules that ship; ``None`` are all."""

ROUTE: Final = "/api/v1/flow/run"
AIDR_FLOW: Final = "base_audit"
"""The one of AIDR Bastion's own flows that has its rules and no model."""


class Target(NamedTuple):
    """Where texts are sent."""

    url: str
    token: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="bare route and Bastion take turns; the median counts")
    parser.add_argument("--threads", type=int, default=load_settings().bastion_threads)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--aidr", metavar="URL", help="where an AIDR Bastion runs, such as http://127.0.0.1:8700")
    options = parser.parse_args()
    figures: list[Figure] = []
    print(f"{WORKERS} workers x {options.threads} threads, prompts of {PROMPT_BYTES} bytes, 32 connections")
    print(
        f"{'':34} {'texts/s':>9} {'bare/s':>9} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7} {'bare p99':>8}   (0.5, 25 ms)",
        flush=True,
    )
    for kind in KINDS:
        if options.only in (None, kind):
            figures += measure(kind, options.seconds, options.rounds, options.threads)
    if options.aidr:
        theirs = measure_aidr(options.aidr, options.seconds, options.rounds, options.threads)
        figures += [*theirs, beside(figures[0], theirs[0])]
    write_results("throughput", figures)


def measure(kind: str, seconds: int, rounds: int, threads: int) -> list[Figure]:
    """One kind of database, with each kind of prompts."""
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        database(kind, folder) as url,
        bare_server(threads) as port,
        bastion(url, folder, threads) as server,
    ):
        answered = 0
        for prompts, rules in CASES:
            running = keep_rules(server, url, rules)
            ours, bare = Target(f"{server.url}{ROUTE}", server.token), Target(f"http://127.0.0.1:{port}{ROUTE}")
            loads = take_turns(ours, bare, request_bodies(prompts), seconds, rounds)
            figures += report(f"{kind}, {prompts}, {running} rules", loads)
            stored = server.call("GET", "/events/stats")[1]["total"]
            answered += sum(load.requests for load, _ in loads)
            if stored < answered or any(load.refused or load.broken for load, _ in loads):
                raise SystemExit(f"{answered} texts were answered, {stored} events are stored: {loads}")
    return figures


def measure_aidr(url: str, seconds: int, rounds: int, threads: int) -> list[Figure]:
    """AIDR Bastion beside the bare route."""
    bodies = [json.dumps({**json.loads(body), "pipeline_flow": AIDR_FLOW}) for body in request_bodies("prose")]
    with bare_server(threads) as port:
        theirs = Target(f"{url.rstrip('/')}{ROUTE}")
        loads = take_turns(theirs, Target(f"http://127.0.0.1:{port}{ROUTE}"), bodies, seconds, rounds)
    if any(load.refused for load, _ in loads):
        raise SystemExit(f"{url} refuses texts: {loads}")
    if late := sum(load.broken for load, _ in loads):
        print(f"AIDR Bastion took over two seconds for {late} texts, which do not count")
    return report("AIDR Bastion, prose, its rules", loads)


def keep_rules(server: Server, url: str, number: int | None) -> int:
    """Has so many of the rules that ship run, spread over all of them, and returns how many."""
    engine = sa.create_engine(load_settings(database_url=url).database_url)
    with Session(engine) as session:
        rules = session.scalars(sa.select(Rule).order_by(Rule.id)).all()
        kept = rules if number is None else [rules[place * len(rules) // number] for place in range(number)]
        for rule in rules:
            rule.enabled = rule in kept
        session.commit()
    engine.dispose()
    # A running server keeps what was compiled together until it is quiet.
    server.kill()
    server.start()
    return int(server.call("GET", "/rules?enabled=true&limit=1")[1]["total"])


def take_turns(judging: Target, bare: Target, bodies: list[str], seconds: int, rounds: int) -> list[tuple[Load, Load]]:
    """A firewall and the bare route in pairs; the first pair warms up and does not count."""
    return [
        (
            put_load(judging.url, bodies, seconds if number else 2, token=judging.token),
            put_load(bare.url, bodies, seconds if number else 2),
        )
        for number in range(rounds + 1)
    ][1:]


def report(name: str, loads: list[tuple[Load, Load]]) -> list[Figure]:
    """The medians of the rounds, printed."""
    rate, bare_rate = (statistics.median(pair[side].rate for pair in loads) for side in (0, 1))
    p50, p99 = (statistics.median(getattr(ours, part) for ours, _ in loads) for part in ("p50_ms", "p99_ms"))
    bare_p99 = statistics.median(bare.p99_ms for _, bare in loads)
    ratio = statistics.median(ours.rate / bare.rate for ours, bare in loads)
    print(f"{name:34} {rate:9.0f} {bare_rate:9.0f} {ratio:6.2f} {p50:7.1f} {p99:7.1f} {bare_p99:8.1f}", flush=True)
    return [
        Figure(name=f"texts judged and stored, {name}", value=rate, unit="1/s", baseline="bare route", ratio=ratio),
        Figure(
            name=f"p99 at 32 connections, {name}", value=p99, unit="ms", baseline="bare route", ratio=p99 / bare_p99
        ),
    ]


def beside(ours: Figure, theirs: Figure) -> Figure:
    """The first rate of this run over AIDR Bastion's."""
    name = "texts judged and stored, beside AIDR Bastion"
    ratio = ours["value"] / theirs["value"]
    return Figure(name=name, value=ours["value"], unit="1/s", baseline="AIDR Bastion", ratio=ratio)


def request_bodies(kind: str) -> list[str]:
    """A thousand prompts of one kilobyte each; one in thirty of the mixed ones has an attack in it."""
    written = plain_prose(4000) if kind == "prose" else generated_prompts(6000)
    long = [prompt.encode()[:PROMPT_BYTES] for prompt in written if len(prompt.encode()) >= PROMPT_BYTES]
    return [
        json.dumps({"prompt": cut.decode(errors="ignore"), "task_id": f"task-{number}"})
        for number, cut in enumerate(long[:1000])
    ]


@contextmanager
def database(kind: str, folder: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/bench.db"
        return
    server = TemporaryPostgres(durable=True)
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def bastion(url: str, folder: str, threads: int) -> Iterator[Server]:
    server = Server(url, Path(folder) / "instance", BASTION_WORKERS=str(WORKERS), BASTION_THREADS=str(threads))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def bare_server(threads: int) -> Iterator[int]:
    """The bare route on a gunicorn like Bastion's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = subprocess.Popen(
        [
            *[BIN / "gunicorn", "-k", "bastion.gunicorn_worker.SharingWorker", "-b", f"127.0.0.1:{port}"],
            *["-w", str(WORKERS), "--threads", str(threads)],
            *["--no-control-socket", "--log-level", "warning", "bench.bare:app"],
        ],
        cwd=ROOT,
        env=dict(os.environ),
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


if __name__ == "__main__":
    main()
