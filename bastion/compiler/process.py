"""The parent's end of the compiling process: what it asks, how long it waits, and when it ends the process."""

import atexit
import json
import math
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from bastion.engine.compilation import Compilation, Compiled
from bastion.engine.patterns import PatternError
from bastion.engine.prefilters import Prefilter

EXPRESSION_SECONDS: Final = 4.0
"""The longest that one expression may take to compile, alone."""

START_SECONDS: Final = 20.0
"""The longest that the process may take to start: on a busy machine its imports can take seconds."""

ASSEMBLY_SECONDS: Final = 60.0
"""The longest that all of them may take together, and ``ASSEMBLY_SECONDS_EACH`` more for each."""

ASSEMBLY_SECONDS_EACH: Final = 0.1

UNCOMPILED: Final = "cannot be compiled"
"""Begins the reason why an expression of the dialect is refused all the same."""

MOST_PATIENCE: Final = 20
"""How many times as long by the clock any of this may take, if the processor is busy with other things."""

MEMORY: Final = 1 << 30
"""Bytes that compiling may take, and ``MEMORY_EACH`` more for each expression that is compiled with others."""

MEMORY_EACH: Final = 1 << 18

_PACKAGES: Final = Path(__file__).resolve().parents[2]


class CompilerFailed(RuntimeError):
    """The process could not be started, or did not make what it was asked for."""


class _Died(Exception):
    """The process ended, or was ended because an answer took too long. ``guilty`` is sure of the expression's part."""

    def __init__(self, reason: str, *, guilty: bool = True) -> None:
        super().__init__(reason)
        self.guilty = guilty


class _Waiting:
    """For an answer, as long as the process may work on it: on a busy machine it may hardly get to work."""

    def __init__(self, process: subprocess.Popen[bytes] | None, seconds: float) -> None:
        self.seconds = seconds
        self._pid = process.pid if process else 0
        self._began = time.monotonic()
        self._worked_before = _processor_seconds(self._pid)
        self._ends = self._began + seconds

    def left(self) -> float:
        """Seconds until it is to be asked again whether the wait is over."""
        return max(0.0, self._ends - time.monotonic())

    def is_over(self) -> bool:
        """Whether the process has worked for half the time, or waited for ``MOST_PATIENCE`` times as long."""
        now = time.monotonic()
        if now - self._began >= self.seconds * MOST_PATIENCE:
            return True
        worked = _processor_seconds(self._pid)
        if worked == math.inf or worked - self._worked_before >= self.seconds / 2:
            return True
        self._ends = now + self.seconds / 4
        return False


def _processor_seconds(pid: int) -> float:
    """What the process has worked so far; endless where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return math.inf
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class CompilerProcess:
    """A process that compiles expressions, started when it is needed. Threads take turns."""

    def __init__(self, expression_seconds: float = EXPRESSION_SECONDS, memory: int = MEMORY) -> None:
        self._expression_seconds = expression_seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._pending = bytearray()

    def faults(
        self,
        sources: Collection[str],
        prefilter: Prefilter,
        progress: Callable[[], None] = lambda: None,
        *,
        stop_at_slow: bool = False,
    ) -> dict[str, PatternError]:
        """Why those of the expressions that cannot be used cannot, after compiling each alone.

        With ``stop_at_slow`` those that follow one that could not be compiled are not tried.

        Raises:
            CompilerFailed: when the process cannot be started.
        """
        faults = {}
        suspects: set[str] = set()
        left = list(dict.fromkeys(sources))
        with self._lock:
            while left:
                try:
                    for answer in self._ask(prefilter, list(left), alone=True):
                        if "reason" in answer:
                            faults[answer["done"]] = PatternError(1, answer["column"], answer["reason"])
                        left.remove(answer["done"])
                        progress()
                except _Died as death:
                    if not _convicted(death, left[0], suspects):
                        continue
                    faults[left.pop(0)] = PatternError(1, 1, f"{UNCOMPILED}: {death}")
                    progress()
                    if stop_at_slow:
                        break
        return faults

    def compile(self, sources: Collection[str], prefilter: Prefilter, known: Mapping[str, Compiled]) -> Compilation:
        """The expressions, compiled together; one that takes too long or too much is refused, and named.

        ``known`` are expressions compiled before, by their source.

        Raises:
            CompilerFailed: when they cannot be compiled together.
        """
        refused: dict[str, str] = {}
        suspects: set[str] = set()
        alone = False
        with self._lock:
            while True:
                left = [source for source in sources if source not in refused]
                stored = b""
                try:
                    for answer in self._ask(prefilter, list(left), alone=alone, known=known, refused=refused):
                        if "done" in answer:
                            left.remove(answer["done"])
                        stored = answer.get("stored", stored)
                    return Compilation.load(stored)
                except _Died as death:
                    if left and not _convicted(death, left[0], suspects):
                        continue
                    if left:
                        refused[left[0]] = f"column 1: {UNCOMPILED}: {death}"
                    elif alone:
                        raise CompilerFailed(str(death)) from None
                    else:
                        alone = True

    def stop(self) -> None:
        """Ends the process until it is needed again."""
        with self._lock:
            self._end()

    def _ask(
        self,
        prefilter: Prefilter,
        sources: list[str],
        *,
        alone: bool,
        known: Mapping[str, Compiled] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The answers to one request; raises ``_Died`` for the expression whose answer is missing."""
        assemble = known is not None
        request = {
            "prefilter": prefilter.name,
            "sources": sources,
            "alone": alone,
            "assemble": assemble,
            "known": [asdict(known[source]) for source in sources if known and source in known],
            "refused": dict(refused or {}),
            "memory": self._memory + MEMORY_EACH * len(sources) * assemble,
        }
        self._send(json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        answered = False
        try:
            for _ in sources:
                yield self._answer(self._expression_seconds)
            if assemble:
                answer = self._answer(ASSEMBLY_SECONDS + ASSEMBLY_SECONDS_EACH * len(sources))
                yield {"stored": self._read(answer["assembled"], EXPRESSION_SECONDS)}
            answered = True
        finally:
            # Answers that nobody reads would be taken for those to the next request.
            if not answered:
                self._end()

    def _send(self, request: bytes) -> None:
        # A process that had nothing to do may have ended, also between the look and the writing.
        for _ in range(2):
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(request)
                process.stdin.flush()
                return
            except BrokenPipeError:
                self._end()
        raise CompilerFailed("the compiling process ends as soon as it is started")

    def _answer(self, seconds: float) -> dict[str, Any]:
        waiting = _Waiting(self._process, seconds)
        while b"\n" not in self._pending:
            self._read_more(waiting)
        end = self._pending.index(b"\n")
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        answer: dict[str, Any] = json.loads(line.decode("utf-8", "surrogatepass"))
        if "failed" in answer:
            raise _Died(answer["failed"])
        return answer

    def _read(self, count: int, seconds: float) -> bytes:
        waiting = _Waiting(self._process, seconds)
        while len(self._pending) < count:
            self._read_more(waiting)
        read = bytes(self._pending[:count])
        del self._pending[:count]
        return read

    def _read_more(self, waiting: "_Waiting") -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        answers = select.poll()
        answers.register(descriptor, select.POLLIN)
        while not answers.poll(waiting.left() * 1000):
            if waiting.is_over():
                self._end()
                raise _Died(f"it takes longer than {waiting.seconds:g} seconds")
        if not (read := os.read(descriptor, 1 << 20)):
            self._end()
            raise _Died("it takes too much memory, or the process that tries is ended", guilty=False)
        self._pending += read

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and (self._process.poll() is not None or self._owner != os.getpid()):
            self._end()
        if self._process is None:
            self._start()
        assert self._process is not None
        return self._process

    def _start(self) -> None:
        path = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bastion.compiler.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            raise CompilerFailed(f"the compiling process cannot be started: {error.strerror}") from None
        self._owner = os.getpid()
        self._pending = bytearray()
        try:
            self._answer(START_SECONDS)
        except _Died as death:
            raise CompilerFailed(f"the compiling process does not start: {death}") from None

    def _end(self) -> None:
        process, self._process, self._pending = self._process, None, bytearray()
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        if self._owner == os.getpid():
            process.kill()
            process.wait()


def _convicted(death: _Died, source: str, suspects: set[str]) -> bool:
    """Whether the expression is to blame: a process can also be ended from outside, but hardly twice at one place."""
    convicted = death.guilty or source in suspects
    suspects.add(source)
    return convicted


def shared_process(purpose: str) -> CompilerProcess:
    """The only compiling process that this one has for a purpose: one that builds keeps nobody from saving a rule."""
    return _shared(purpose, os.getpid())


@cache
def _shared(_purpose: str, _owner: int) -> CompilerProcess:
    process = CompilerProcess()
    atexit.register(process.stop)
    return process
