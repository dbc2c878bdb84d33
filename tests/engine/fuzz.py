"""The detector against a plain loop of the ``regex`` module, on random rules and texts: ``make fuzz``.

A case is one rule on one text. Cases come in batches: each draws rules and texts from its own seed, which is printed
when the two disagree, with the shortest patterns and text that were found to show it.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import astuple, dataclass
from functools import cache, lru_cache
from itertools import islice
from random import Random, SystemRandom
from typing import Final, TypeVar

import click
import regex

from bastion.engine.detectors.regex_rules import MAX_MATCHED_TEXT, RegexDetector
from bastion.engine.dialect import pattern_faults
from bastion.engine.layers import Compiler, compile_here
from bastion.engine.rules import Views, pattern_lines
from bastion.engine.verdict import MAX_SPANS, RAW_VIEW, Span
from tests.engine.grammar import Line, draw_line, draw_text
from tests.factories import rule_spec

S = TypeVar("S", str, tuple[str, ...])
Answer = dict[int, tuple[Span, ...]] | str
"""The spans of the rules that match, by the rule's number; or what went wrong."""
Find = Callable[[str], Answer]

BATCH: Final = 500
"""Cases in a batch. Compiling its rules takes the most time by far, and finds the most."""

LOOP_SECONDS: Final = 0.25
"""The longest that one expression may work on one text in the loop; a text that takes longer is skipped."""

MOST_REPORTS: Final = 10
_SIZES: Final = (25, 25, 25, 20, 20, 20, 50, 15, 10, 5)
"""How many rules a batch may have; as many texts make up its cases."""
_SHRINKING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What was tried. ``skipped`` are cases that took the loop too long; the others are counted as ``cases``."""

    texts: int = 0
    cases: int = 0
    matching: int = 0
    skipped: int = 0
    lines: int = 0
    refused: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.cases:,} cases of {self.texts:,} texts, {self.matching / max(1, self.cases):.1%} match; "
            f"{self.skipped:,} skipped; {self.refused:,} of {self.lines:,} expressions refused"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when the detector and the loop ever disagree."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.fuzz", description="The detector against a loop.")
    parser.add_argument("--cases", type=positive, default=1_000_000, metavar="N", help="one million unless told")
    parser.add_argument("--seed", type=int, metavar="S", help="the first batch's; one that fails tells its own")
    wanted = parser.parse_args(arguments)
    first = SystemRandom().randrange(10**9) if wanted.seed is None else wanted.seed
    seeds = range(first, first - (-wanted.cases // BATCH))
    began = time.monotonic()
    total, reports = Tally(), 0
    click.echo(f"Seeds {seeds[0]} to {seeds[-1]}")
    for tally, report in _batches(seeds):
        total += tally
        if report:
            click.echo(f"\n{report}")
            reports += 1
        if reports == MOST_REPORTS:
            click.echo(f"Stopped after {MOST_REPORTS} batches that disagree.")
            break
    click.echo(f"{total}; {reports} batches disagree; {time.monotonic() - began:.0f} s")
    return 1 if reports else 0


def positive(written: str) -> int:
    if (number := int(written)) < 1:
        raise ValueError(written)
    return number


def _batches(seeds: Sequence[int]) -> Iterator[tuple[Tally, str]]:
    hidden = not sys.stderr.isatty()
    done = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        try:
            with click.progressbar(length=len(seeds), label="Batches", file=sys.stderr, hidden=hidden) as bar:
                for outcome in pool.map(run_batch, seeds):
                    yield outcome
                    bar.update(1)
                    done += 1
        except BrokenProcessPool:
            yield Tally(), f"A process died (of a batch from seed {seeds[done]} on)."
        finally:
            pool.shutdown(cancel_futures=True)


def run_batch(seed: int, cases: int = BATCH) -> tuple[Tally, str]:
    """What was tried, and a report of the first disagreement, if any."""
    random = Random(seed)
    size = random.choice(_SIZES)
    rules, tally = _draw_rules(random, size)
    patterns = tuple("\n".join(line.source for line in rule) for rule in rules)
    lines = [line for rule in rules for line in rule]
    loop, detector = by_loop(patterns), by_detector(patterns)
    for _ in range(cases // size):
        text = draw_text(random, lines)
        try:
            expected = loop(text)
        except TimeoutError:
            tally += Tally(skipped=size)
            continue
        tally += Tally(texts=1, cases=size, matching=len(expected))
        if detector(text) != expected:
            return tally, f"Seed {seed}, {cases} cases:\n{disagreement(patterns, text)}"
    return tally, ""


def _draw_rules(random: Random, size: int) -> tuple[list[list[Line]], Tally]:
    rules: list[list[Line]] = []
    drawn = refused = 0
    while len(rules) < size:
        rule: list[Line] = []
        wanted = random.choice([1, 1, 1, 1, 1, 2, 2, 3])
        while len(rule) < wanted:
            line = draw_line(random)
            drawn += 1
            if pattern_faults(line.source):
                refused += 1
            else:
                rule.append(line)
        rules.append(rule)
    return rules, Tally(lines=drawn, refused=refused)


def by_loop(patterns: Sequence[str]) -> Callable[[str], dict[int, tuple[Span, ...]]]:
    """What is to be found, found the plain way.

    Raises:
        TimeoutError: by the search, for a text that takes it longer than ``LOOP_SECONDS``.
    """
    rules = [[regex.compile(line, regex.VERSION0) for _, line in pattern_lines(pattern)] for pattern in patterns]

    def find(text: str) -> dict[int, tuple[Span, ...]]:
        answer = {}
        for number, expressions in enumerate(rules):
            found = {match.span() for one in expressions for match in one.finditer(text, timeout=LOOP_SECONDS)}
            if found:
                answer[number] = tuple(sorted(found)[:MAX_SPANS])
        return answer

    return find


def by_detector(patterns: Sequence[str], compiler: Compiler = compile_here) -> Find:
    """What the detector finds in the text as it is; an exception or a fault is an answer of its own."""
    rules = [rule_spec(pattern=pattern, views=Views.RAW) for pattern in patterns]
    numbers = {rule.uuid: number for number, rule in enumerate(rules)}
    # Time enough on a busy machine: what it finds is tested here, not how soon.
    detector = cache(lambda: RegexDetector(rules, compiler, rule_seconds=60, scan_seconds=600))

    def find(text: str) -> Answer:
        try:
            matches, faults, _ = detector().scan(text)
        except Exception:
            return traceback.format_exc()
        if trouble := (*detector().rejected, *faults):
            return "; ".join(f"{fault.rule.pattern!a} {fault.reason}" for fault in trouble)
        answer = {}
        for match in matches:
            if match.view == RAW_VIEW:
                answer[numbers[match.rule.uuid]] = match.spans
                start, end = match.spans[0] if match.spans else (0, 0)
                if match.matched_text != text[start:end][:MAX_MATCHED_TEXT]:
                    return f"{match.matched_text!a} is said to be the text at {match.spans[:1]}"
        return answer

    return find


def disagreement(patterns: Sequence[str], text: str) -> str:
    """The shortest patterns and text found on which loop and detector disagree, and what either says."""
    patterns, text = _shrunk(tuple(patterns), text)
    try:
        expected: Answer = by_loop(patterns)(text)
    except TimeoutError as error:
        expected = repr(error)
    return "\n".join(
        [
            *(f"  pattern {number}  {pattern!a}" for number, pattern in enumerate(patterns)),
            f"  text       {text!a}",
            f"  loop       {expected}",
            f"  detector   {by_detector(patterns)(text)}",
        ]
    )


def _shrunk(patterns: tuple[str, ...], text: str) -> tuple[tuple[str, ...], str]:
    until = time.monotonic() + _SHRINKING_SECONDS
    # Many texts are tried on the same patterns.
    finders = lru_cache(4)(lambda patterns: (by_loop(patterns), by_detector(patterns)))

    def disagree(text: str, *patterns: str) -> bool:
        if time.monotonic() > until or not patterns or any(map(pattern_faults, patterns)):
            return False
        loop, detector = finders(patterns)
        try:
            return loop(text) != detector(text)
        except TimeoutError:
            return False

    # Most often one rule shows it alone, and compiling it takes less time than compiling them all.
    alone = next(((one,) for one in patterns if disagree(text, one)), None)
    parts = (text, *(alone or _shortest(patterns, lambda fewer: disagree(text, *fewer), every_place_from=0)))
    before: tuple[str, ...] = ()
    while before != parts:
        before = parts
        for at in range(len(parts)):
            parts = _with_shorter(parts, at, disagree)
        parts = _with_fewer_groups(parts, disagree)
    text, *last = parts
    for at in range(len(text)):
        plainer = f"{text[:at]}x{text[at + 1 :]}"
        text = plainer if disagree(plainer, *last) else text
    return tuple(last), text


def _with_shorter(parts: tuple[str, ...], at: int, still: Callable[..., bool]) -> tuple[str, ...]:
    first, last = parts[:at], parts[at + 1 :]
    return (*first, _shortest(parts[at], lambda shorter: still(*first, shorter, *last)), *last)


def _with_fewer_groups(parts: tuple[str, ...], still: Callable[..., bool]) -> tuple[str, ...]:
    """Without the brackets, opening and closing, that matter to no one: taken out alone either is an error."""
    for at, pattern in islice(enumerate(parts), 1, None):
        for opening in regex.finditer(r"\((?:\?[^()]*?[:>])?", pattern):
            for closing in regex.finditer(r"\)", pattern, pos=opening.end()):
                bare = pattern[: opening.start()] + pattern[opening.end() : closing.start()] + pattern[closing.end() :]
                if still(*parts[:at], bare, *parts[at + 1 :]):
                    return (*parts[:at], bare, *parts[at + 1 :])
    return parts


def _shortest(whole: S, still: Callable[[S], bool], every_place_from: int = 16) -> S:
    """What remains when everything is taken out that may be, in pieces that get smaller: at first each next piece,
    and pieces smaller than ``every_place_from`` from every place.
    """
    halves = {len(whole) >> halvings for halvings in range(16)} - {0}
    for size in sorted(halves | {*range(1, every_place_from)}, reverse=True):
        at = 0
        while size <= len(whole) - at:
            shorter = whole[:at] + whole[at + size :]
            if still(shorter):
                whole = shorter
            else:
                at += 1 if size < every_place_from else size
    return whole


if __name__ == "__main__":
    sys.exit(main())
