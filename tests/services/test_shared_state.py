"""The file that the workers of a host share: no thread of one takes it from under another."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from bastion.services.people.ended_sessions import EndedSessions
from bastion.services.shared_state import STATE_FILE, SharedState

Result = TypeVar("Result")

READ = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM ended_sessions").fetchone()[0])
"""


def in_thread(task: Callable[[], Result]) -> Result:
    """In a thread that is new, and so has a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(task).result()


def test_another_process_that_comes_and_goes_takes_nothing_away(tmp_path: Path) -> None:
    state = SharedState(tmp_path / STATE_FILE)
    ended = EndedSessions(state)
    with ThreadPoolExecutor(1) as first:
        first.submit(ended.end, "a").result()
        assert in_thread(lambda: ended.has("a"))

        def another() -> str:
            done = subprocess.run(
                [sys.executable, "-c", READ, str(state.path)], capture_output=True, text=True, check=True
            )
            return done.stdout

        another()
        assert (tmp_path / f"{STATE_FILE}-wal").exists()
        first.submit(ended.end, "b").result()

        assert another() == "2\n"
        assert in_thread(lambda: ended.has("b"))


def test_many_may_open_it_first(tmp_path: Path) -> None:
    for round_ in range(10):
        state = SharedState(tmp_path / str(round_) / STATE_FILE)
        with ThreadPoolExecutor(8) as pool:
            results = [pool.submit(state.run, "SELECT count(*) FROM limits") for _ in range(8)]
        assert [result.result() for result in results] == [[(0,)]] * 8
