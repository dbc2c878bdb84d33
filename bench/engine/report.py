"""Figures for the results file, budgets to be told at the end, and lines beside a progress bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from bench.results_file import Figure


class Report:
    """Figures for the results file, and budgets to be told at the end."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.budgets: list[str] = []

    def add(self, name: str, value: float, unit: str, over: tuple[str, float] | None = None) -> None:
        """``over`` names the baseline and gives its value."""
        baseline, ratio = (over[0], value / over[1]) if over else (None, None)
        self.figures.append(Figure(name=name, value=value, unit=unit, baseline=baseline, ratio=ratio))

    def judge(self, what: str, measured: str, budget: str, *, met: bool) -> None:
        self.budgets.append(f"{what:58} {measured:>10}   {budget:22} {'met' if met else 'missed'}")


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield bar.update


def say(line: str) -> None:
    """A line of a table while a progress bar stands."""
    # The bar has no line break after it until it ends.
    print(f"\r\033[K{line}" if sys.stdout.isatty() else line, flush=True)


def short(nanoseconds: float) -> str:
    for unit, size in (("us", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * size:
            return f"{nanoseconds / size:6.1f} {unit}"
    return f"{nanoseconds / 1e9:6.2f} s "
