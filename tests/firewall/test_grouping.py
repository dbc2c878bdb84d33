"""Whoever comes while others' work is done is served by the next that works, and nobody twice or never."""

import threading

import pytest

from bastion.firewall.grouping import Grouped, NotDoneInTime, Take


def test_alone_it_is_a_call() -> None:
    threads = []

    def work(take: Take[int]) -> list[int]:
        threads.append(threading.current_thread())
        return [task * 2 for task in take()]

    grouped: Grouped[int, int] = Grouped(work)

    assert [grouped.do(number, 1) for number in range(3)] == [0, 2, 4]
    assert set(threads) == {threading.current_thread()}


def test_those_who_wait_are_served_together() -> None:
    begun, may_end = threading.Event(), threading.Event()
    groups: list[list[int]] = []

    def work(take: Take[int]) -> list[int]:
        tasks = take()
        groups.append(list(tasks))
        begun.set()
        may_end.wait(30)
        return [task * 2 for task in tasks]

    grouped: Grouped[int, int] = Grouped(work)
    results: dict[int, int] = {}
    threads = [threading.Thread(target=lambda n=n: results.update({n: grouped.do(n, 30)})) for n in range(9)]
    threads[0].start()
    begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(grouped._waiting) < 8:
        pass
    may_end.set()
    for thread in threads:
        thread.join()

    assert results == {n: n * 2 for n in range(9)}
    assert [len(group) for group in groups] == [1, 8]


def test_each_gets_its_own_error() -> None:
    def work(take: Take[int]) -> list[int | BaseException]:
        return [ValueError("odd") if task % 2 else task for task in take()]

    grouped: Grouped[int, int] = Grouped(work)

    assert grouped.do(2, 1) == 2
    with pytest.raises(ValueError, match="odd"):
        grouped.do(3, 1)


def test_work_that_fails_fails_for_whoever_it_was_done_for_and_the_next_goes_on() -> None:
    broken = [True]

    def work(take: Take[int]) -> list[int]:
        if broken:
            broken.clear()
            raise RuntimeError("first")
        return list(take())

    grouped: Grouped[int, int] = Grouped(work)

    with pytest.raises(RuntimeError, match="first"):
        grouped.do(1, 1)
    assert grouped.do(2, 1) == 2


def test_nobody_waits_longer_than_it_would_and_is_not_served_later() -> None:
    begun, may_end = threading.Event(), threading.Event()
    done: list[int] = []

    def work(take: Take[int]) -> list[int]:
        tasks = take()
        begun.set()
        may_end.wait(30)
        done.extend(tasks)
        return list(tasks)

    grouped: Grouped[int, int] = Grouped(work)
    first = threading.Thread(target=grouped.do, args=(1, 30))
    first.start()
    begun.wait(30)

    with pytest.raises(NotDoneInTime):
        grouped.do(2, 0.01)
    may_end.set()
    first.join()

    assert grouped.do(3, 1) == 3
    assert done == [1, 3]


def test_many_threads_for_long_lose_nobody() -> None:
    grouped: Grouped[int, int] = Grouped(lambda take: [task + 1 for task in take()])
    wrong: list[int] = []

    def ask(begin: int) -> None:
        wrong.extend(n for n in range(begin, begin + 500) if grouped.do(n, 60) != n + 1)

    threads = [threading.Thread(target=ask, args=(begin,)) for begin in range(0, 4000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert not grouped._busy


def test_who_comes_before_the_work_is_ready_is_served_with_it() -> None:
    begun, ready = threading.Event(), threading.Event()
    groups: list[list[int]] = []

    def work(take: Take[int]) -> list[int]:
        begun.set()
        ready.wait(30)
        tasks = take()
        groups.append(list(tasks))
        return list(tasks)

    grouped: Grouped[int, int] = Grouped(work)
    threads = [threading.Thread(target=grouped.do, args=(number, 30)) for number in range(3)]
    threads[0].start()
    begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(grouped._waiting) < 3:
        pass
    ready.set()
    for thread in threads:
        thread.join()

    assert [sorted(group) for group in groups] == [[0, 1, 2]]
