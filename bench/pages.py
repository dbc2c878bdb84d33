"""What the pages take at a million events: p50 and p95 of each, on SQLite and PostgreSQL.

Each page is asked for in process, logged in, as a browser would with the addresses that the page itself links to. The
application says which routes there are; searches stand in ``PAGES``. The budget is absolute: p95 under 100 ms, but for
counts, which come after the page. On a busy machine the ratio tells more: it is to a page that asks for no event.
"""

import argparse
import html
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from bastion import create_app
from bastion.extensions import db
from bastion.models import Event
from bastion.services.people.accounts import Role
from bench.many_rows import EVENTS, fill
from bench.results_file import Figure, write_results
from tests.conftest import log_in_as
from tests.databases import KINDS, Databases
from tests.web.every_page import exports, pages

BUDGET_MS: Final = 100
TIMES: Final = 20
DEEP: Final = 40
"""Pages from the first to the one that stands for those deep inside."""

PLAIN: Final = "/accounts/password"
"""The page that the others are held against."""

LATER: Final = ("/events/facets", "/triggers/facets", "/numbers")
"""Counts, which a script fetches after the page."""


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
    Page("rules", "/rules/", deep=True),
    Page("rules by triggers", "/rules/?sort=-triggers"),
    Page("rules by precision", "/rules/?sort=precision"),
    Page("rules by search", "/rules/?q=status%3Aenforce+severity%3A%3E%3Dhigh"),
    Page("rules that matched", "/rules/?q=triggered%3A7d"),
    Page("rare rule", "/rules/499"),
    Page("overview's numbers, all time", "/numbers?range=all", budget=None),
    Page("events' counts, all time", "/events/facets?range=all", budget=None),
    Page("events' counts by rule", "/events/facets?q=rule%3A%231&range=all", budget=None),
    Page("triggers' counts, all time", "/triggers/facets?range=all", budget=None),
)
EXPORTS: Final = (
    Page("events of all time as CSV", "/events/export.csv?range=all"),
    Page("events by word as JSON", "/events/export.json?q=budget&range=all"),
    Page("triggers by severity as JSON Lines", "/triggers/export.jsonl?q=severity%3A%3E%3Dhigh&range=all"),
)


def main() -> None:
    options = _options()
    figures: list[Figure] = []
    print(f"{'database':11} {'page':45} {'p50 ms':>8} {'p95 ms':>8} {'to plain':>9}   (budget {BUDGET_MS} ms)")
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        for kind, url in _databases(options, databases):
            app = create_app(database_url=url, bastion_instance=Path(folder) / kind)
            with app.app_context():
                middle = (db.session.scalar(sa.select(sa.func.max(Event.id))) or 0) // 2
            # Compiling is a matter of the start, and would be measured with the first pages.
            app.extensions["bastion"].firewall.rules.current()
            figures += _measured(app, kind, middle)
            app.extensions["bastion"].firewall.rules.stop()
            with app.app_context():
                db.engine.dispose()
        databases.close()
    whole = options.events == EVENTS and not options.filled and set(options.kinds) == set(KINDS)
    write_results("pages" if whole else "pages_in_part", figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="how many there are")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="which databases")
    parser.add_argument("--filled", nargs="+", metavar="URL", help="databases that are filled already")
    return parser.parse_args()


def _databases(options: argparse.Namespace, databases: Databases) -> Iterator[tuple[str, str]]:
    """Kind and URL of each database."""
    for url in options.filled or ():
        yield url.partition(":")[0].partition("+")[0], url
    for kind in () if options.filled else options.kinds:
        url = databases.migrated(kind)
        engine = sa.create_engine(url)
        fill(engine, options.events)
        engine.dispose()
        yield kind, url


def _measured(app: Flask, kind: str, middle: int) -> Iterator[Figure]:
    """Prints what each page took, and gives it as figures."""
    client, stranger = log_in_as(app, Role.ADMIN), app.test_client()
    for page, path in _every_page(app, client, middle):
        name = page.name if path == page.path else f"{page.name}, deep"
        try:
            taken, plain = _timed(stranger if path == "/login" else client, client, path)
        except RuntimeError as error:
            print(f"{kind:11} {name:45} {error}", flush=True)
            continue
        p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
        over = " over" if page.budget is not None and p95 > page.budget else ""
        print(f"{kind:11} {name:45} {p50:8.1f} {p95:8.1f} {p50 / plain:8.1f}x{over}", flush=True)
        late = "" if page.budget is not None else ", after its page"
        for mark, value in ((f"p50{late}", p50), (f"p95{late}", p95)):
            ratio = value / plain
            yield Figure(name=f"{name}, {kind}, {mark}", value=value, unit="ms", baseline=PLAIN, ratio=ratio)


def _timed(client: FlaskClient, member: FlaskClient, path: str) -> tuple[list[float], float]:
    """What the page took each time, and the plain page at the median: by turns, so that whatever else the machine does
    befalls both. Raises ``RuntimeError`` for a page that fails.
    """
    warm_up(client, path)
    taken, plain = [], []
    for _ in range(TIMES):
        plain.append(time_of(member, PLAIN))
        taken.append(time_of(client, path))
    return taken, statistics.median(plain)


def _every_page(app: Flask, client: FlaskClient, middle: int) -> Iterator[tuple[Page, str]]:
    """Each page with its address, and after it the same page deep inside."""
    known = {"key": str(middle), "rule_id": "1", "at": "2026-11-23T08:00:00+00:00", "name": Role.ADMIN.value}
    routes = [Page(path, path, budget=None if path in LATER else BUDGET_MS) for path in pages(app, known, parts=True)]
    searches = [replace(page, path=page.path.replace("{middle}", str(middle))) for page in PAGES]
    files = [*EXPORTS, *(Page(path, path) for path in exports(app))]
    for page in {page.path: page for page in (*routes, *searches, *files)}.values():
        yield page, page.path
        if page.deep:
            yield page, deep_inside(client, page.path)


def warm_up(client: FlaskClient, path: str) -> None:
    """Asks until it is answered: a file that is not in memory can take longer to read than a page may take."""
    for _ in range(3):
        try:
            ask(client, path)
            return
        except RuntimeError as error:
            print(f"at first, {error}", file=sys.stderr)


def time_of(client: FlaskClient, path: str) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    ask(client, path)
    return (time.perf_counter() - start) * 1000


def ask(client: FlaskClient, path: str) -> str:
    """The page, or of an export what comes with the first row."""
    answer = client.get(path, buffered=False)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answers {answer.status_code}")
    try:
        if "/export." not in path:
            return answer.get_data(as_text=True)
        return "".join(map(str, islice(answer.response, 2)))
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
