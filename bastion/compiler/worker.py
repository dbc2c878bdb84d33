"""The process that compiles: requests on its standard input, one JSON object a line, and answers on its output.

It exists because compiling a hostile or unlucky expression can take minutes and gigabytes: its parent ends it then,
and knows by the last answer which expression it was. It ends itself when it has had nothing to do for a while.
"""

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from bastion.engine.compilation import Compiled, assemble, loosened, translate_one
from bastion.engine.patterns import PatternError
from bastion.engine.prefilters import Prefilter, Refused, prefilter

IDLE_SECONDS: Final = 60

MANY: Final = 600
"""Expressions whose compiling takes so long that requests must not feel it."""

_NICENESS: Final = 3
_NICENESS_OF_MANY: Final = 16
"""Behind the processes that answer requests. There is no way back, so that the process ends with such a request."""


def main() -> None:
    """Answers requests until its input ends or nothing has come for ``IDLE_SECONDS``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    # What all expressions need is not to be paid for by the first.
    translate_one("(?i)ready[^a]")
    _send({"ready": True})
    for request in _requests():
        many = len(request["sources"]) > MANY and request["assemble"]
        if many:
            os.nice(_NICENESS_OF_MANY - _NICENESS)
        _limit_memory(request["memory"])
        try:
            for answer in _answers(request):
                _send(answer)
        except (Refused, MemoryError) as error:
            _send({"failed": f"{type(error).__name__}: {error}"})
        if many:
            return


def _requests() -> Iterator[dict[str, Any]]:
    pending = b""
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        read = os.read(0, 1 << 20)
        if not read:
            return
        pending += read
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            yield json.loads(line.decode("utf-8", "surrogatepass"))


def _answers(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One for each expression, and one for all of them together if that was asked for."""
    chosen = _prefilter(request["prefilter"])
    known = {one["source"]: Compiled(**one) for one in request["known"]}
    compiled: list[Compiled] = []
    refused: dict[str, str] = request["refused"]
    for source in request["sources"]:
        try:
            one = known.get(source) or translate_one(source)
            compiled.append(_loosened(one, chosen.name) if request["alone"] else one)
            yield {"done": source}
        except PatternError as fault:
            refused[source] = f"column {fault.column}: {fault.reason}"
            yield {"done": source, "column": fault.column, "reason": fault.reason}
    if request["assemble"]:
        stored = assemble(compiled, refused, chosen).dump()
        yield {"assembled": len(stored)}
        sys.stdout.buffer.write(stored)
        sys.stdout.buffer.flush()


@lru_cache(maxsize=10_000)
def _loosened(one: Compiled, chosen: str) -> Compiled:
    return loosened(one, _prefilter(chosen))


def _prefilter(name: str) -> Prefilter:
    found = prefilter(name)
    assert found is not None
    return found


def _limit_memory(allowed: int) -> None:
    """Allows that many bytes beyond what the process has now, where the system tells."""
    if not Path("/proc/self/statm").exists():
        return
    with open("/proc/self/statm", encoding="ascii") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = now + allowed
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _send(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
