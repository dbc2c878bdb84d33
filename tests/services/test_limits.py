"""How often somebody may try, by a clock that the test turns."""

import multiprocessing
from pathlib import Path

import pytest

from bastion.services.limits import Limit, Limits
from bastion.services.shared_state import SharedState

THREE = Limit(burst=3, seconds=10)


class Clock:
    """A time that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(tmp_path: Path, clock: Clock) -> Limits:
    return Limits(SharedState(tmp_path / "state.db"), clock)


def test_a_burst_and_then_one_at_a_time(limits: Limits, clock: Clock) -> None:
    assert [limits.take("login", "ada", THREE) for _ in range(5)] == [0, 0, 0, 10, 10]
    clock.now += 9
    assert limits.take("login", "ada", THREE) == 1
    clock.now += 1
    assert [limits.take("login", "ada", THREE) for _ in range(2)] == [0, 10]
    clock.now += 1000
    assert [limits.take("login", "ada", THREE) for _ in range(4)] == [0, 0, 0, 10]


def test_kinds_and_keys_are_apart(limits: Limits) -> None:
    for _ in range(3):
        assert limits.take("login", "ada", THREE) == 0

    assert limits.take("login", "ada", THREE) == 10
    assert limits.take("login", "bob", THREE) == 0
    assert limits.take("api", "ada", THREE) == 0


def test_a_try_that_is_given_back_does_not_count(limits: Limits) -> None:
    for _ in range(20):
        assert limits.take("login", "ada", THREE) == 0
        limits.give_back("login", "ada", THREE)


def test_who_is_at_rest_is_forgotten_and_no_name_is_kept(limits: Limits, clock: Clock, tmp_path: Path) -> None:
    for number in range(50):
        limits.take("login", f"hunter{number}", THREE)
    clock.now += 1000
    limits.take("login", "last", THREE)

    state = SharedState(tmp_path / "state.db")
    assert state.run("SELECT count(*) FROM limits") == [(1,)]
    assert b"hunter" not in (tmp_path / "state.db").read_bytes() + (tmp_path / "state.db-wal").read_bytes()


def _take(path: Path, results: "multiprocessing.Queue[int]") -> None:
    limits = Limits(SharedState(path), lambda: 1_000_000.0)
    results.put(sum(limits.take("api", "one", Limit(burst=100, seconds=1)) == 0 for _ in range(80)))


def test_processes_share_one_count(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = spawn.Queue()
    processes = [spawn.Process(target=_take, args=(tmp_path / "state.db", results)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert sorted(results.get() + results.get() for _ in range(1)) == [100]
