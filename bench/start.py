"""From the command to a server whose every worker has 1,800 rules that were compiled before.

The budget is DESIGN's: 1.5 s. On a busy or slow machine the ratio to a bare Flask route's start tells more.
"""

import http.client
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from bench.build_under_load import store_rules, wait_until_in_force
from bench.results_file import Figure, write_results
from bench.throughput import ROUTE, WORKERS, bare_server, database
from tests.databases import KINDS
from tests.servers import Server

STARTS: Final = 5
BUDGET_SECONDS: Final = 1.5


def main() -> None:
    figures: list[Figure] = []
    heads = f"{'database':12} {'starts':>6} {'median s':>9} {'longest s':>10} {'bare s':>7} {'ratio':>6}"
    print(f"{heads}   (budget {BUDGET_SECONDS} s)")
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, database(kind, folder) as url:
            server = Server(url, Path(folder) / "instance", BASTION_WORKERS=str(WORKERS))
            try:
                store_rules(url)
                wait_until_in_force(server, kind)
                taken, bare = measure(server)
            finally:
                server.stop()
        median, bare_median = statistics.median(taken), statistics.median(bare)
        ratio = median / bare_median
        print(f"{kind:12} {len(taken):6} {median:9.2f} {max(taken):10.2f} {bare_median:7.2f} {ratio:6.1f}", flush=True)
        figures.append(
            Figure(name=f"start, 1800 rules, {kind}", value=median, unit="s", baseline="bare route", ratio=ratio)
        )
    write_results("start", figures)


def measure(server: Server) -> tuple[list[float], list[float]]:
    """Seconds of each start of the server and of the bare one, in turn; the first pair warms up."""
    taken, bare = [], []
    with click.progressbar(range(STARTS + 1), label="Starting", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        for _ in bar:
            server.kill()
            began = time.monotonic()
            server.start()
            taken.append(time.monotonic() - began)
            began = time.monotonic()
            with bare_server(threads=16) as port:
                ask(port)
                bare.append(time.monotonic() - began)
    return taken[1:], bare[1:]


def ask(port: int) -> None:
    """Returns when a worker has answered: the port takes connections before there is one."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", ROUTE, '{"prompt": "x"}', {"Content-Type": "application/json"})
        if connection.getresponse().status != 200:
            raise SystemExit("the bare route fails")


if __name__ == "__main__":
    main()
