"""What a scan did with a text, and how long each stage took: for people who ask, never while texts are served."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from bastion.engine.verdict import Findings, Verdict
from bastion.engine.views import View

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trace:
    """How one pipeline came to its findings.

    ``views`` are the forms of the text that it looked at, in order, ``candidates`` how many rules may match each. The
    seconds are by the clock: for looking behind disguises, for projections and passes, for confirming.
    """

    views: tuple[View, ...]
    candidates: tuple[int, ...]
    uncovering: float
    passes: float
    confirming: float


@dataclass(frozen=True, slots=True)
class Explained:
    """Findings, and how they were come to."""

    findings: Findings
    trace: Trace


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict, and the traces of the pipelines that leave one, by pipeline."""

    verdict: Verdict
    traces: dict[str, Trace]


class Timed(Generic[T]):
    """What it is given, once; afterwards ``came`` has it all, and ``seconds`` says how long it took to come."""

    def __init__(self, of: Iterable[T]) -> None:
        self._of = iter(of)
        self.came: list[T] = []
        self.seconds = 0.0

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        began = time.perf_counter()
        try:
            found = next(self._of)
        finally:
            self.seconds += time.perf_counter() - began
        self.came.append(found)
        return found
