"""Sides that take turns on the same prompts, and the loop that the engine is held to."""

import gc
import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import regex

from bastion.engine import RuleSpec, Verdict
from bastion.engine.rules import pattern_lines
from bastion.engine.verdict import RAW_VIEW
from bench.engine.report import progress

BATCH: Final = 25
WARM_UP: Final = 0.05
"""The share of a race's time that each side may run untimed before it: expressions are compiled when first needed."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one side took, prompt by prompt, in nanoseconds of its thread's processor time."""

    taken: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.taken)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.taken)

    @property
    def p99(self) -> float:
        return sorted(self.taken)[min(len(self.taken) - 1, len(self.taken) * 99 // 100)]


@dataclass(frozen=True, slots=True)
class Race:
    """The times and the answers of each side, for as many prompts as there was time for."""

    times: dict[str, Times]
    answers: dict[str, list[Any]]

    @property
    def prompts(self) -> int:
        return min(len(times.taken) for times in self.times.values())


def run_race(label: str, sides: Mapping[str, Callable[[str], Any]], prompts: list[str], seconds: float) -> Race:
    """Every side on every prompt, batch by batch in turns, as long as there is time."""
    race = Race({name: Times() for name in sides}, {name: [] for name in sides})
    for scan in sides.values():
        ends = time.monotonic() + seconds * WARM_UP
        for text in prompts:
            scan(text)
            if time.monotonic() > ends:
                break
    gc.collect()
    ends = time.monotonic() + seconds
    with progress(label, len(prompts)) as advance:
        for start in range(0, len(prompts), BATCH):
            batch = prompts[start : start + BATCH]
            # Who begins finds the caches as another left them: so each begins as often.
            order = list(sides) if start // BATCH % 2 == 0 else list(sides)[::-1]
            for name in order:
                _time_batch(sides[name], batch, race.times[name].taken, race.answers[name])
            advance(len(batch))
            if time.monotonic() > ends:
                break
    return race


def _time_batch(scan: Callable[[str], Any], batch: list[str], taken: list[int], answers: list[Any]) -> None:
    # By the clock on the wall, who shares the processor would slow the loop down more: it works longer at a time.
    clock = time.thread_time_ns
    asking = _asking_takes()
    for text in batch:
        begun = clock()
        answer = scan(text)
        taken.append(max(1, clock() - begun - asking))
        answers.append(answer)


def _asking_takes() -> int:
    """Nanoseconds between two questions for the time: from 0.2 to 2 microseconds, which a short scan would show."""
    clock = time.thread_time_ns
    return min(-(clock() - clock()) for _ in range(100))


class Loop:
    """Every expression compiled by ``re`` and searched, one after the other."""

    def __init__(self, rules: Iterable[RuleSpec]) -> None:
        self._searches = [
            (number, re.compile(line).search)
            for number, rule in enumerate(rules)
            for _, line in pattern_lines(rule.pattern)
        ]
        self.lines = len(self._searches)

    def scan(self, text: str) -> set[int]:
        """The numbers of the rules that match."""
        found = set()
        for number, search in self._searches:
            if search(text):
                found.add(number)
        return found


class Differences:
    """Rules that one side found in a prompt and the other did not.

    Where ``regex`` says as the engine does, ``re`` reads the expression otherwise; where the engine ran out of time,
    nobody is wrong.
    """

    def __init__(self, rules: list[RuleSpec]) -> None:
        self._rules = rules
        self._numbers = {rule: number for number, rule in enumerate(rules)}
        self.wrong: list[str] = []
        self.dialect = 0
        self.late = 0

    def count(self, text: str, looped: set[int], verdict: Verdict) -> None:
        found = {self._numbers[match.rule] for match in verdict.matches if match.view == RAW_VIEW}
        late = {self._numbers[fault.rule] for fault in verdict.faults}
        self.late += len(late)
        for number in (looped ^ found) - late:
            try:
                confirmed = any(
                    regex.search(line, text, regex.VERSION0, timeout=10)
                    for _, line in pattern_lines(self._rules[number].pattern)
                )
            except TimeoutError:
                self.late += 1
                continue
            if confirmed == (number in found):
                self.dialect += 1
            else:
                which = "not found" if confirmed else "found"
                self.wrong.append(f"{which}: {self._rules[number].name} in {text[:60]!r}")
