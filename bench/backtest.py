"""Events that a backtest tests a second of one core, of median prompts, beside the scan alone and the reading alone."""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Engine, RuleSpec
from bastion.engine.layers import compile_here
from bastion.models import Event, new_uid, utc_now
from bastion.services.rules.backtest import Backtest, Pair
from bastion.settings import load_settings
from bench.realistic_prompts import MEDIAN_BYTES, generated_prompts, prompts_from_file
from bench.results_file import Figure, write_results
from bench.throughput import database
from tests.databases import KINDS, migrate
from tests.factories import rule_spec

EVENTS: Final = 20_000
ROUNDS: Final = 3
SPREAD: Final = 0.1
"""How far from the median a prompt may be, as a share of its length."""
BUDGET: Final = 20_000
"""Events a second a core."""
SAVED: Final = r"(?i)\bignore\s+(?:all\s+)?(?:previous|prior)\s+instructions?"
DRAFT: Final = r"(?i)\b(?:ignore|disregard)\s+(?:all\s+|any\s+)?(?:previous|prior)\s+(?:instructions?|rules?)"
SCAN: Final = "scan alone"
READ: Final = "reading alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=Path, metavar="FILE.jsonl", help='lines with a "text"; otherwise generated')
    prompts = median_prompts(parser.parse_args().prompts)
    print(f"{len(prompts):,} prompts of about {len(prompts[len(prompts) // 2]):,} characters, {EVENTS:,} events")
    print(f"{'database':12} {'backtest':>9} {SCAN:>11} {READ:>14}   (events/s of processor time, median of {ROUNDS})")
    figures: list[Figure] = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder, database(kind, folder) as url:
            migrate(url, Path(folder) / "instance")
            engine = sa.create_engine(load_settings(database_url=url).database_url)
            fill(engine, prompts)
            rates = race(engine)
            engine.dispose()
        verdict = "met" if rates["backtest"] >= BUDGET else f"missed: {BUDGET:,}"
        print(f"{kind:12} {rates['backtest']:9,.0f} {rates[SCAN]:11,.0f} {rates[READ]:14,.0f}   {verdict}", flush=True)
        figures += [
            Figure(
                name=f"backtest, {kind}",
                value=rates["backtest"],
                unit="events/s",
                baseline=baseline,
                ratio=rates["backtest"] / rates[baseline],
            )
            for baseline in (SCAN, READ)
        ]
    write_results("backtest", figures)


def median_prompts(path: Path | None) -> list[str]:
    """Those near the median length of real prompts, or of a file's own."""
    prompts = sorted(prompts_from_file(path) if path else generated_prompts(), key=len)
    median = len(prompts[len(prompts) // 2]) if path else MEDIAN_BYTES
    return [text for text in prompts if abs(len(text) - median) <= SPREAD * median]


def fill(engine: sa.Engine, prompts: Sequence[str]) -> None:
    dice, now = random.Random(1), utc_now()
    with engine.begin() as connection:
        connection.execute(
            sa.insert(Event),
            [
                {
                    "uid": new_uid(),
                    "prompt": dice.choice(prompts),
                    "status": "allow",
                    "flow_name": "default",
                    "timestamp": now - timedelta(seconds=number),
                }
                for number in range(EVENTS)
            ],
        )


def race(engine: sa.Engine) -> dict[str, float]:
    """Events a second of this thread's processor time, by what is done with them, in turns."""
    pair = Pair(spec(DRAFT), spec(SAVED))
    test, scanner = Backtest([pair], compile_here), Engine([pair.draft, spec(SAVED)], compile_here)
    with Session(engine) as session:
        texts = list(session.scalars(sa.select(Event.prompt)))

        def backtest() -> None:
            cursor, looked_at = None, 0
            while looked_at < EVENTS:
                step = test.step(session, (), cursor)
                cursor, looked_at = step.cursor, looked_at + step.looked_at

        def scan() -> None:
            for text in texts:
                scanner.scan(text or "")

        def read() -> None:
            for _ in session.execute(sa.select(Event.id, Event.timestamp, Event.prompt)):
                pass

        sides: dict[str, Callable[[], None]] = {"backtest": backtest, SCAN: scan, READ: read}
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, side in sides.items():
                began = time.thread_time()
                side()
                taken[name].append(time.thread_time() - began)
    return {name: EVENTS / statistics.median(seconds) for name, seconds in taken.items()}


def spec(pattern: str) -> RuleSpec:
    return rule_spec(pattern=pattern)


if __name__ == "__main__":
    main()
