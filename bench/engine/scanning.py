"""Scans beside the loop, by the number of rules, and with and without views."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bastion.engine import Engine, Views
from bastion.engine.layers import compile_together
from bench.engine.building import Built
from bench.engine.race import Differences, Loop, run_race
from bench.engine.report import Report, short
from bench.realistic_prompts import (
    plain_prose,
)

LOOP: Final = "loop of compiled re"
FASTER: Final = 300
"""How often the loop's time must hold the engine's (DESIGN, section 10)."""
FASTER_AT: Final = 1800
"""From how many rules on."""
GROWTH: Final = 3.0
"""The cost at the most rules over that at the fewest, at most."""
VIEWS_PRICE: Final = 1.3
"""The cost of all views over that of the raw one, on text that hides nothing, at most."""
PROMPTS: Final = 2000


def compare_with_loop(engines: Mapping[int, Built], prompts: list[str], seconds: float, report: Report) -> None:
    print(f"\nscan, processor time a prompt; n prompts were tried in up to {seconds:g} s")
    print(f"{'':>8} {'':>7} {'':>6} {LOOP:^29} {'this engine':^29} {'times faster':^15} {'otherwise found':^22}")
    print(
        f"{'rules':>8} {'lines':>7} {'n':>6} {'median':>9} {'p99':>9} {'mean':>9} {'median':>9} {'p99':>9} {'mean':>9} "
        f"{'median':>7} {'mean':>7} {'wrong':>6} {'re':>6} {'late':>6}"
    )
    for size, built in engines.items():
        loop = Loop(built.rules)
        race = run_race(f"{size:,} rules", {LOOP: loop.scan, "engine": built.engine.scan}, prompts, seconds)
        theirs, ours = race.times[LOOP], race.times["engine"]
        differences = Differences(built.rules)
        for text, looped, verdict in zip(prompts, race.answers[LOOP], race.answers["engine"], strict=False):
            differences.count(text, looped, verdict)
        print(
            f"{size:8,} {loop.lines:7,} {race.prompts:6,} {short(theirs.median)} {short(theirs.p99)} "
            f"{short(theirs.mean)} {short(ours.median)} {short(ours.p99)} {short(ours.mean)} "
            f"{theirs.median / ours.median:7.0f} {theirs.mean / ours.mean:7.0f} "
            f"{len(differences.wrong):6} {differences.dialect:6} {differences.late:6}"
        )
        for one in differences.wrong[:5]:
            print(f"         {one}")
        for name in ("median", "p99", "mean"):
            theirs_value, ours_value = getattr(theirs, name) / 1000, getattr(ours, name) / 1000
            report.add(f"scan by {LOOP}, {size} rules, {name}", theirs_value, "us")
            report.add(f"scan, {size} rules, {name}", ours_value, "us", (LOOP, theirs_value))
        report.add(f"scan, {size} rules, prompts tried", race.prompts, "prompts")
        report.add(f"scan, {size} rules, found otherwise", len(differences.wrong), "rules in prompts")
        if size >= FASTER_AT:
            faster = theirs.median / ours.median
            report.judge(
                f"scan, {size:,} rules: times faster than the loop, median",
                f"{faster:.0f}",
                f"at least {FASTER}",
                met=faster >= FASTER,
            )


def compare_sizes(
    engines: Mapping[int, Built], prompts: list[str], seconds: float, sizes: list[int], report: Report
) -> None:
    race = run_race("Sizes", {f"{size}": built.engine.scan for size, built in engines.items()}, prompts, seconds)
    fewest = race.times[str(sizes[0])]
    print(f"\nscan by the number of rules, n = {race.prompts:,}, and over that of the fewest")
    print(f"{'rules':>8} {'median':>9} {'p99':>9} {'mean':>9} {'median':>7} {'mean':>7}")
    for size in engines:
        times = race.times[str(size)]
        print(
            f"{size:8,} {short(times.median)} {short(times.p99)} {short(times.mean)} "
            f"{times.median / fewest.median:7.2f} {times.mean / fewest.mean:7.2f}"
        )
        if size != sizes[0]:
            baseline = (f"scan, {sizes[0]} rules", fewest.median / 1000)
            report.add(f"scan, {size} rules, median, by size", times.median / 1000, "us", baseline)
    growth = race.times[str(sizes[-1])].median / fewest.median
    if len(sizes) > 1:
        report.judge(
            f"scan, {sizes[-1]:,} rules over {sizes[0]:,}, median",
            f"{growth:.2f}",
            f"at most {GROWTH:g}",
            met=growth <= GROWTH,
        )


def price_views(built: Built, seconds: float, report: Report, *, judged: bool) -> None:
    """All views beside the raw one, whose pass looks for no disguise, on prose in which nothing is hidden."""
    raw = Engine([replace(rule, views=Views.RAW) for rule in built.rules], compile_together)
    race = run_race("Views", {"raw": raw.scan, "all": built.engine.scan}, plain_prose(PROMPTS), seconds)
    every, alone = race.times["all"], race.times["raw"]
    price = every.median / alone.median
    print(
        f"\nviews, on plain prose, {len(built.rules):,} rules, n = {race.prompts:,}: "
        f"raw {short(alone.median).strip()}, all {short(every.median).strip()}, ratio {price:.2f}"
    )
    name = f"scan of plain prose, all views, {len(built.rules)} rules, median"
    report.add(name, every.median / 1000, "us", ("raw view", alone.median / 1000))
    if judged:
        report.judge(
            f"all views over raw, plain prose, {len(built.rules):,} rules, median",
            f"{price:.2f}",
            f"at most {VIEWS_PRICE}",
            met=price <= VIEWS_PRICE,
        )
