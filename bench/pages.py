"""What the pages take at a million events: p50 and p95 of each, on SQLite and PostgreSQL.

Each page is asked for in process, logged in, as a browser would with the addresses that the page itself links to. The
budget is absolute: p95 under 100 ms, but for counts, which come after the page. Add a page to ``PAGES``.
"""

import argparse
import html
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask.testing import FlaskClient

from bastion import create_app
from bastion.extensions import db
from bastion.services.people.accounts import Role
from bench.many_rows import EVENTS, fill
from bench.results_file import Figure, write_results
from tests.conftest import log_in_as
from tests.databases import KINDS, Databases

BUDGET_MS: Final = 100
TIMES: Final = 20
DEEP: Final = 40
"""Pages from the first to the one that stands for those deep inside."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page to measure; ``deep`` also where forty pages lead. ``budget`` is ``None`` for what comes after a page."""

    name: str
    path: str
    deep: bool = False
    budget: int | None = BUDGET_MS


PAGES: Final = (
    Page("overview", "/"),
    Page("overview, all time", "/?range=all"),
    Page("events", "/events/", deep=True),
    Page("events, all time", "/events/?range=all", deep=True),
    Page("events, oldest first", "/events/?range=all&sort=oldest", deep=True),
    Page("events by status", "/events/?q=status%3Ablock&range=all", deep=True),
    Page("events by two statuses", "/events/?q=status%3Ablock+status%3Aerror&range=all", deep=True),
    Page("events by flow and status", "/events/?q=flow%3Afull_scan+status%3Aallow&range=all", deep=True),
    Page("events by rare source", "/events/?q=source%3Anight-batch&range=all", deep=True),
    Page("events without source", "/events/?q=%21source%3Achat&range=all", deep=True),
    Page("events by busy rule", "/events/?q=rule%3A%231&range=all", deep=True),
    Page("events by rare rule", "/events/?q=rule%3A%23499&range=all"),
    Page("events by category", "/events/?q=category%3Apii&range=all", deep=True),
    Page("events by severity", "/events/?q=severity%3A%3E%3Dhigh&range=all", deep=True),
    Page("events by judgement", "/events/?q=disposition%3Afalse_positive+view%3Abase64&range=all", deep=True),
    Page("events by common word", "/events/?q=budget&range=all", deep=True),
    Page("events by absent word", "/events/?q=zzzqq&range=all"),
    Page("events by rule and absent word", "/events/?q=rule%3A%231+zzzqq&range=all"),
    Page("one event", "/events/{middle}"),
    Page("newer events", "/events/newer?after=2020-01-01T00%3A00%3A00Z"),
    Page("triggers", "/triggers/", deep=True),
    Page("triggers by busy rule", "/triggers/?q=rule%3A%231&range=all", deep=True),
    Page("triggers by category", "/triggers/?q=category%3Apii&range=all", deep=True),
    Page("triggers unjudged", "/triggers/?q=severity%3A%3E%3Dhigh+disposition%3Aunjudged&range=all", deep=True),
    Page("triggers by source", "/triggers/?q=source%3Anight-batch&range=all", deep=True),
    Page("triggers by absent word", "/triggers/?q=zzzqq&range=all"),
    Page("one event, in a search", "/events/{middle}?q=status%3Ablock&range=all"),
    Page("what all of a search are", "/triggers/judge?q=rule%3A%23499&range=all"),
    Page("rules", "/rules/"),
    Page("rules by triggers", "/rules/?sort=-triggers"),
    Page("rules by precision", "/rules/?sort=precision"),
    Page("rules by search", "/rules/?q=status%3Aenforce+severity%3A%3E%3Dhigh"),
    Page("busy rule", "/rules/1"),
    Page("busy rule, pattern", "/rules/1/pattern"),
    Page("busy rule, activity", "/rules/1/activity"),
    Page("busy rule, triggers", "/rules/1/triggers"),
    Page("busy rule, history", "/rules/1/history"),
    Page("busy rule, exceptions", "/rules/1/exceptions"),
    Page("busy rule, edit", "/rules/1/edit"),
    Page("busy rule, delete", "/rules/1/delete"),
    Page("system", "/system/"),
    Page("overview's numbers, a week", "/numbers", budget=None),
    Page("overview's numbers, all time", "/numbers?range=all", budget=None),
    Page("events' counts, a week", "/events/facets", budget=None),
    Page("events' counts, all time", "/events/facets?range=all", budget=None),
    Page("events' counts by rule", "/events/facets?q=rule%3A%231&range=all", budget=None),
    Page("triggers' counts, all time", "/triggers/facets?range=all", budget=None),
)
EXPORTS: Final = (
    Page("events as CSV, first byte", "/events/export.csv?range=all"),
    Page("events as JSON by word, first byte", "/events/export.json?q=budget&range=all"),
    Page("triggers as JSON Lines, first byte", "/triggers/export.jsonl?q=severity%3A%3E%3Dhigh&range=all"),
    Page("rules as CSV, first byte", "/rules/export.csv"),
)


def main() -> None:
    options = _options()
    figures: list[Figure] = []
    print(f"{'database':11} {'page':36} {'p50 ms':>8} {'p95 ms':>8}   (budget {BUDGET_MS} ms)")
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        for kind in options.kinds:
            app = create_app(database_url=databases.migrated(kind), bastion_instance=Path(folder) / kind)
            with app.app_context():
                fill(db.engine, options.events)
            client = log_in_as(app, Role.ADMIN)
            for name, budget, taken in measured(client, options.events // 2):
                p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
                over = " over" if budget is not None and p95 > budget else ""
                print(f"{kind:11} {name:36} {p50:8.1f} {p95:8.1f}{over}")
                figures += [
                    Figure(name=f"{name}, {kind}, {mark}", value=value, unit="ms", baseline=None, ratio=None)
                    for mark, value in (("p50", p50), ("p95", p95))
                ]
            with app.app_context():
                db.engine.dispose()
        databases.close()
    write_results("pages", figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="how many there are")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="which databases")
    return parser.parse_args()


def measured(client: FlaskClient, middle: int) -> Iterator[tuple[str, int | None, list[float]]]:
    """The name and the budget of each page, and what it took in milliseconds each time."""
    for page in PAGES:
        path = page.path.replace("{middle}", str(middle))
        yield page.name, page.budget, times(client, path)
        if page.deep:
            yield f"{page.name}, page {DEEP}", page.budget, times(client, deep_inside(client, path))
    for page in EXPORTS:
        yield page.name, page.budget, times(client, page.path, whole=False)


def times(client: FlaskClient, path: str, *, whole: bool = True) -> list[float]:
    ask(client, path, whole=whole)
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        ask(client, path, whole=whole)
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def ask(client: FlaskClient, path: str, *, whole: bool = True) -> str:
    """The page, or of an export what comes with the first row."""
    answer = client.get(path, buffered=False)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    try:
        if whole:
            return answer.get_data(as_text=True)
        pieces = iter(answer.response)
        return "".join(str(next(pieces)) for _ in range(2))
    finally:
        answer.close()


def deep_inside(client: FlaskClient, path: str) -> str:
    """The address that the links to older rows lead to."""
    for _ in range(DEEP - 1):
        following = re.search(r'rel="next" href="([^"]+)"', ask(client, path))
        if following is None:
            break
        path = html.unescape(following[1])
    return path


if __name__ == "__main__":
    main()
