"""How long after a rule's edit was answered the last worker still judged by the old rule.

A budget in seconds that users feel (DESIGN's one second), so it is absolute: the longest of the edits counts.
"""

import statistics
import tempfile
import time
from pathlib import Path

from bench.results_file import Figure, write_results
from tests.databases import KINDS, Databases
from tests.servers import Server

EDITS = 40
WORD = "flibbertigibbet"
SETTLED = 40
"""New verdicts in a row, each on a new connection, until both workers are sure to have answered."""


def main() -> None:
    figures: list[Figure] = []
    print(f"{'database':12} {'edits':>6} {'median s':>9} {'longest s':>10}   (budget 1 s)")
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        for kind in KINDS:
            server = Server(databases.blank(kind), Path(folder) / kind)
            try:
                delays = measure(server)
            finally:
                server.stop()
            median, longest = statistics.median(delays), max(delays)
            print(f"{kind:12} {len(delays):6} {median:9.2f} {longest:10.2f}")
            for name, value in (("median", median), ("longest", longest)):
                figures.append(
                    Figure(name=f"rule edit in force, {kind}, {name}", value=value, unit="s", baseline=None, ratio=None)
                )
        databases.close()
    write_results("live_rules", figures)


def measure(server: Server) -> list[float]:
    rule = server.call("POST", "/rules", {"name": "w", "details": "w", "pattern": WORD, "action": "block"})[1]
    settle(server, "block", time.monotonic())
    delays = []
    for number in range(EDITS):
        action = "notify" if number % 2 == 0 else "block"
        server.call("PUT", f"/rules/{rule['id']}", {"action": action})
        delays.append(settle(server, action, time.monotonic()))
    return delays


def settle(server: Server, status: str, since: float) -> float:
    """Seconds from ``since`` to the last verdict that was not yet ``status``."""
    last_old = since
    in_a_row = 0
    while in_a_row < SETTLED:
        if server.status_of(WORD) == status:
            in_a_row += 1
        else:
            in_a_row = 0
            last_old = time.monotonic()
    return last_old - since


if __name__ == "__main__":
    main()
