"""The budgets of DESIGN section 10 as the benches measured them last, each beside its baseline."""

import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from bench.pages import BUDGET_MS
from bench.results_file import FOLDER, Figure
from bench.throughput import BUDGET_P99_MS, BUDGET_RATIO
from bench.two_hosts import BUDGET_SECONDS as EDIT_SECONDS
from tests.databases import KINDS

Wanted = Literal["at most", "at least"]


class Budget(NamedTuple):
    """What a figure may be, or its ratio to the baseline where the unit is ``x``.

    A name that begins with a star stands for all that end so: the worst counts.
    """

    what: str
    bench: str
    figure: str
    wanted: Wanted
    limit: float
    unit: str = "x"

    @property
    def of_ratio(self) -> bool:
        return self.unit == "x"


def budgets() -> Iterator[Budget]:
    scan = "scan, 1800 rules, median"
    yield Budget("scan, 1,800 rules, beside a loop of compiled re", "engine", scan, "at most", 1 / 300)
    yield Budget("the same beside 20 rules", "engine", f"{scan}, by size", "at most", 3)
    for kind in KINDS:
        for prompts in ("prose", "mixed"):
            load = f"{kind}, {prompts}, 60 rules"
            judged = f"texts judged and stored, {load}"
            yield Budget(f"texts a second, {kind}, {prompts}", "throughput", judged, "at least", BUDGET_RATIO)
            p99 = f"p99 at 32 connections, {load}"
            yield Budget(f"p99 of them, {kind}, {prompts}", "throughput", p99, "at most", BUDGET_P99_MS, "ms")
    aidr = "texts judged and stored, beside AIDR Bastion"
    yield Budget("texts a second, beside AIDR Bastion (AIDR=URL)", "throughput", aidr, "at least", 8)
    for kind in KINDS:
        yield Budget(f"any page, p95, {kind}", "pages", f"*, {kind}, p95", "at most", BUDGET_MS, "ms")
    for kind in KINDS:
        edit = f"rule edit in force, {kind}, longest"
        yield Budget(f"edit to effect, every worker, {kind}", "live_rules", edit, "at most", EDIT_SECONDS, "s")
    edit = "edit in force on the other host, longest"
    yield Budget("edit to effect, every host, postgresql", "two_hosts", edit, "at most", EDIT_SECONDS, "s")
    for kind in KINDS:
        yield Budget(
            f"start, 1,800 rules, warm cache, {kind}", "start", f"start, 1800 rules, {kind}", "at most", 1.5, "s"
        )


def main() -> None:
    print(f"{'what':48} {'wanted':>20} {'measured':>15} {'ratio':>8}  {'beside':22} {'when':11}")
    for budget in budgets():
        print(_line(budget))
    print("That no page asks more of the database where there are more rows is tested: tests/web/test_query_counts.py")


def _line(budget: Budget) -> str:
    path = FOLDER / f"{budget.bench}.json"
    found = _named(json.loads(path.read_text()), budget.figure) if path.exists() else []
    start = f"{budget.what:48} {f'{budget.wanted} {budget.limit:.3g} {budget.unit}':>20}"
    if not found:
        return f"{start} {'not measured':>15}"
    pick = max if budget.wanted == "at most" else min
    worst = pick(found, key=lambda figure: _held_to(budget, figure))
    ratio = "" if worst["ratio"] is None else f"{worst['ratio']:.3g}"
    measured = f"{worst['value']:.4g} {worst['unit']}"
    when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    verdict = "met" if _is_met(budget, _held_to(budget, worst)) else "MISSED"
    return f"{start} {measured:>15} {ratio:>8}  {worst['baseline'] or '':22} {when:%m-%d %H:%M} {verdict}"


def _named(figures: list[Figure], name: str) -> list[Figure]:
    if name.startswith("*"):
        return [figure for figure in figures if figure["name"].endswith(name[1:])]
    return [figure for figure in figures if figure["name"] == name]


def _held_to(budget: Budget, figure: Figure) -> float:
    if not budget.of_ratio:
        return figure["value"]
    return math.nan if figure["ratio"] is None else figure["ratio"]


def _is_met(budget: Budget, value: float) -> bool:
    return value <= budget.limit if budget.wanted == "at most" else value >= budget.limit


if __name__ == "__main__":
    main()
