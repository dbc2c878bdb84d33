"""What clients wait while a worker's rules grow from those that ship to 1,800 more.

Sixteen clients ask a real server with two workers all the time. The budget is the p99 while the rules are compiled and
put in force, over the p99 of the same clients in the same run before: 50 ms more, and no wrong or failed answer.
"""

import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Rule
from bastion.settings import load_settings
from bench.realistic_prompts import generated_prompts
from bench.realistic_rules import generated_rules
from bench.results_file import Figure, write_results
from tests.databases import KINDS, Databases
from tests.servers import Server

CLIENTS: Final = 16
RULES: Final = 1800
QUIET_SECONDS: Final = 30
BUDGET_MS: Final = 50
LONGEST_BUILD: Final = 600.0


@dataclass
class Clients:
    """Threads that ask one text after the other and note when, and how long each answer took."""

    server: Server
    taken: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[threading.Thread]:
        prompts = [prompt for prompt in generated_prompts(400) if len(prompt) < 5000]
        threads = [threading.Thread(target=self._ask, args=(prompts[at::CLIENTS],)) for at in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def _ask(self, prompts: list[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"}
        bodies = [json.dumps({"prompt": prompt}) for prompt in prompts]
        at = 0
        while not self.stopped.is_set():
            began = time.monotonic()
            connection.request("POST", "/api/v1/flow/run", bodies[at % len(bodies)], headers)
            answer = connection.getresponse()
            content = answer.read()
            self.taken.append((began, time.monotonic() - began))
            if answer.status != 200:
                self.failures.append(f"{answer.status} {content[:200]!r}")
            at += 1
        connection.close()

    def between(self, since: float, until: float) -> list[float]:
        """Milliseconds of the answers to what was asked in that time."""
        return [seconds * 1000 for began, seconds in self.taken if since <= began < until]


def main() -> None:
    figures: list[Figure] = []
    print(
        f"{'database':12} {'clients':>8} {'asked':>7} {'build s':>8} {'p99 before':>11} {'p99 during':>11} {'more':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        for kind in KINDS:
            url = databases.blank(kind)
            instance = Path(folder) / kind
            # Of its own, or the second would find what the first has compiled.
            (instance / "cache").mkdir(parents=True)
            server = Server(url, instance)
            try:
                figures += measure(kind, server, url)
            finally:
                server.stop()
        databases.close()
    write_results("build_under_load", figures)


def measure(kind: str, server: Server, url: str) -> list[Figure]:
    clients = Clients(server)
    threads = clients.run()
    try:
        time.sleep(5)
        quiet = time.monotonic()
        time.sleep(QUIET_SECONDS)
        edited = time.monotonic()
        store_rules(url)
        in_force = wait_until_in_force(server, kind)
    finally:
        clients.stopped.set()
        for thread in threads:
            thread.join()
    if clients.failures:
        raise SystemExit(f"{len(clients.failures)} failed, the first: {clients.failures[0]}")
    before, during = clients.between(quiet, edited), clients.between(edited, in_force)
    p99_before, p99_during = (statistics.quantiles(taken, n=100)[98] for taken in (before, during))
    more = p99_during - p99_before
    print(
        f"{kind:12} {CLIENTS:8} {len(before) + len(during):7} {in_force - edited:8.1f} {p99_before:8.1f} ms "
        f"{p99_during:8.1f} ms {more:5.1f} ms   budget {BUDGET_MS} ms more: {'met' if more <= BUDGET_MS else 'missed'}"
    )
    name = f"p99 of an answer while {RULES} rules are compiled, {kind}"
    return [Figure(name=name, value=p99_during, unit="ms", baseline="p99 before", ratio=p99_during / p99_before)]


def store_rules(url: str) -> None:
    """All at once, as an import does."""
    engine = sa.create_engine(load_settings(database_url=url).database_url)
    with Session(engine) as session:
        for spec in generated_rules(RULES):
            content = {name: getattr(spec, name) for name in ("uuid", "name", "details", "language", "pattern")}
            session.add(Rule(**content, action="notify", views=spec.views.value))
        session.commit()
    engine.dispose()


def wait_until_in_force(server: Server, kind: str) -> float:
    """When each of two workers has answered ``/readyz`` with all the rules, many times in a row."""
    began = time.monotonic()
    in_a_row = 0
    with click.progressbar(
        length=int(LONGEST_BUILD), label=f"Compiling, {kind}", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        while in_a_row < 20:
            if (waited := time.monotonic() - began) > LONGEST_BUILD:
                raise SystemExit(f"the rules were not in force after {LONGEST_BUILD:g} s:\n{server.log[-2000:]}")
            bar.update(int(waited) - bar.pos)
            time.sleep(0.1)
            in_a_row = in_a_row + 1 if rules_of(server) > RULES else 0
    return time.monotonic() - 0.1 * in_a_row


def rules_of(server: Server) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/readyz")
    content = json.loads(connection.getresponse().read())
    connection.close()
    return int(content["rules"])


if __name__ == "__main__":
    main()
