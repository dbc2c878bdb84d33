"""What detection costs, beside a loop over compiled re patterns on the same rules and prompts.

Machines differ and are noisy, so the ratios count: the sides take turns within one run, one batch of prompts each.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bastion.engine import RuleSpec
from bastion.engine.prefilters import best_prefilter
from bastion.errors import BastionError
from bench.engine.building import build_all
from bench.engine.hard_texts import defuse, scan_long_texts
from bench.engine.race import Times
from bench.engine.report import Report
from bench.engine.scanning import PROMPTS, compare_sizes, compare_with_loop, price_views
from bench.realistic_prompts import (
    generated_prompts,
    prompts_from_file,
)
from bench.realistic_rules import generated_rules, rules_from_folder
from bench.results_file import write_results

SIZES: Final = (20, 200, 1800)
LARGE: Final = 20_000
SECONDS: Final = 45.0
ORDINARY: Final = 200
"""Rules that have to answer while a catastrophic one runs."""


def main() -> None:
    options = arguments()
    begun = time.monotonic()
    report = Report()
    most = max(*options.sizes, LARGE if options.large else 0)
    try:
        prompts = prompts_from_file(options.prompts) if options.prompts else generated_prompts(PROMPTS)
        rules = _own_rules(options.rules) if options.rules else generated_rules(most)
    except (BastionError, OSError, ValueError) as error:
        sys.exit(str(error))
    sizes = sorted({min(size, len(rules)) for size in options.sizes})
    beyond = [min(LARGE, len(rules))] if options.large and len(rules) > sizes[-1] else []
    _print_head(prompts, options)
    with tempfile.TemporaryDirectory() as folder:
        engines = build_all(rules, [*sizes, *beyond], Path(folder), report)
        compare_with_loop({size: engines[size] for size in sizes}, prompts, options.seconds, report)
        compare_sizes(engines, prompts, options.seconds / 2, sizes, report)
        largest = engines[sizes[-1]]
        for size in sizes[1:]:
            price_views(engines[size], options.seconds / 2, report, judged=size == sizes[-1])
        scan_long_texts(largest, report)
        defuse(rules[:ORDINARY], report)
    print("\nbudgets")
    print("\n".join(report.budgets))
    write_results("engine", report.figures)
    print(f"\n{time.monotonic() - begun:.0f} s in all; figures in bench/results/engine.json")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.engine", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--rules", type=Path, metavar="FOLDER", help="YAML rule files; otherwise rules are generated")
    parser.add_argument(
        "--prompts", type=Path, metavar="FILE.jsonl", help='lines with a "text"; otherwise prompts are generated'
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="numbers of rules (default: 20 200 1800)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="the longest that one comparison may take: with fewer, fewer prompts are tried (default: %(default)g)",
    )
    parser.add_argument("--large", action="store_true", help=f"also build and scan with {LARGE:,} rules: takes minutes")
    options = parser.parse_args()
    if min(options.sizes) < 1 or options.seconds <= 0:
        parser.error("--sizes and --seconds want numbers above 0")
    return options


def _own_rules(folder: Path) -> list[RuleSpec]:
    """Shuffled, for files lie in folders by category and a sample should not."""
    rules = rules_from_folder(folder)
    random.Random(0).shuffle(rules)
    return rules


def _print_head(prompts: list[str], options: argparse.Namespace) -> None:
    lengths = Times([len(prompt.encode("utf-8", "surrogatepass")) for prompt in prompts])
    beyond_ascii = sum(not prompt.isascii() for prompt in prompts) / len(prompts)
    print(f"rules:     {options.rules or 'generated'}")
    print(
        f"prompts:   {len(prompts):,} {'of ' + str(options.prompts) if options.prompts else 'generated'}, "
        f"median {lengths.median:,.0f} bytes, p99 {lengths.p99:,.0f}, {beyond_ascii:.0%} beyond ASCII"
    )
    print(f"prefilter: {best_prefilter().name}")


if __name__ == "__main__":
    main()
