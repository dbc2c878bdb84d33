"""How long after a rule's edit on one host the other still judged by the old rule: a hundred edits, on two gunicorns.

Both have an instance folder of their own, and PostgreSQL in common. The budget is a second, for each of the hundred.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.live_rules import WORD, settle
from bench.results_file import Figure, write_results
from tests.postgres import TemporaryPostgres
from tests.two_hosts import two_hosts

EDITS: Final = 100
BUDGET_SECONDS: Final = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=EDITS)
    edits = parser.parse_args().edits
    database = TemporaryPostgres()
    try:
        with tempfile.TemporaryDirectory() as folder:
            delays = measure(database.url, Path(folder), edits)
    finally:
        database.stop()
    within = sum(delay <= BUDGET_SECONDS for delay in delays)
    print(f"{'edits':>6} {'within 1 s':>11} {'median s':>9} {'longest s':>10}   (budget: all)")
    print(f"{edits:6} {within:11} {statistics.median(delays):9.2f} {max(delays):10.2f}")
    values = {
        "within a second": (within, f"of {edits}"),
        "median": (statistics.median(delays), "s"),
        "longest": (max(delays), "s"),
    }
    figures = [
        Figure(name=f"edit in force on the other host, {name}", value=value, unit=unit, baseline=None, ratio=None)
        for name, (value, unit) in values.items()
    ]
    write_results("two_hosts", figures)
    if within < edits:
        raise SystemExit(f"{edits - within} edits were not in force within {BUDGET_SECONDS:.0f} s")


def measure(url: str, folder: Path, edits: int) -> list[float]:
    """Edits on one host and the other in turn, each asked of the one where it was not made."""
    with two_hosts(url, folder) as hosts:
        rule = hosts.first.call("POST", "/rules", {"name": "w", "details": "w", "pattern": WORD, "action": "block"})[1]
        settle(hosts.second, "block", time.monotonic())
        delays = []
        for number in range(edits):
            action = "notify" if number % 2 == 0 else "block"
            here, there = (hosts.first, hosts.second) if number % 4 < 2 else (hosts.second, hosts.first)
            here.call("PUT", f"/rules/{rule['id']}", {"action": action})
            delays.append(settle(there, action, time.monotonic()))
        return delays


if __name__ == "__main__":
    main()
