"""What a terminal is shown while a work takes long, and a pipe is not."""

import io
import os
import pty
import select
import time
from collections.abc import Callable

import pytest

from bastion.cli.progress import progress, waiting


def long_wait() -> None:
    with waiting("Compiling"):
        time.sleep(0.1)


def many_steps() -> None:
    with progress(3, "Reading") as advance:
        for _ in range(3):
            advance(1)


@pytest.mark.parametrize(("work", "shown"), [(long_wait, "\rCompiling: 0 s"), (many_steps, "100%")])
def test_a_terminal_shows_it_and_a_pipe_does_not(
    work: Callable[[], None], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastion.cli.progress.TICK_SECONDS", 0.02)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        work()
        terminal.flush()
        seen = screen.read(4096)
        # A terminal hands over what it has, which may not be all of it yet.
        while shown.encode() not in seen and select.select([screen], [], [], 20)[0]:
            seen += screen.read(4096)
        assert shown in seen.decode()

    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    work()
    assert pipe.getvalue() == ""
