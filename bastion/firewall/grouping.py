"""Work that is cheaper together: whoever comes first does it for all who came while the one before was doing it.

There is no thread that it is handed to: a caller alone pays nothing, and under load a group is as large as it was long
until the one before was done.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

MAX_TOGETHER: Final = 256

GATHER_SHARE: Final = 0.25
"""Of the time that the work took last: so long who works waits for others, if there were others the last time.

Those who were served together ask again together. Without the wait the first of them would be served alone, and the
rest wait for that.
"""

GATHER_SECONDS: Final = 0.003
"""The longest such wait."""

SHORTEST_GATHER: Final = 0.0002
"""A shorter wait is not worth the sleep."""


class NotDoneInTime(Exception):
    """The caller waited for as long as it would. The work may be done all the same, now or later."""


class _Caller(Generic[Task, Result]):
    """One who waits. The lock is held until there is news: a result, or that it is this one's turn to work.

    Who has news wakes the one ``after``. Woken all at once they would fight for Python's lock.
    """

    __slots__ = ("after", "gone", "leads", "news", "outcome", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.leads = False
        self.gone = False
        self.after: _Caller[Task, Result] | None = None
        self.outcome: Result | BaseException | None = None
        self.news = threading.Lock()
        self.news.acquire()


Take = Callable[[], Sequence[Task]]


class Grouped(Generic[Task, Result]):
    """``work`` is called by one thread at a time. It takes the tasks of all who wait when it is ready for them, and
    gives an outcome for each.
    """

    def __init__(self, work: Callable[[Take[Task]], Sequence[Result | BaseException]]) -> None:
        self._work = work
        self._together = 1
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._waiting: list[_Caller[Task, Result]] = []
        self._busy = False

    def do(self, task: Task, seconds: float) -> Result:
        """The result for this task, or its error.

        Raises:
            NotDoneInTime: when others' work kept this from being done for so long.
        """
        caller: _Caller[Task, Result] = _Caller(task)
        with self._lock:
            self._waiting.append(caller)
            caller.leads = not self._busy
            self._busy = True
        if not caller.leads and not caller.news.acquire(timeout=seconds):
            self._leave(caller)
        if caller.after is not None:
            caller.after.news.release()
        if caller.leads:
            self._lead()
        outcome = caller.outcome
        if isinstance(outcome, BaseException):
            raise outcome
        assert outcome is not None
        return outcome

    def _leave(self, caller: _Caller[Task, Result]) -> None:
        with self._lock:
            if caller.outcome is not None or caller.leads:
                return
            caller.gone = True
            with suppress(ValueError):
                self._waiting.remove(caller)
        raise NotDoneInTime

    def _lead(self) -> None:
        self._gather()
        group: list[_Caller[Task, Result]] = []
        started = time.perf_counter()

        def take() -> Sequence[Task]:
            with self._lock:
                group.extend(self._waiting[:MAX_TOGETHER])
                del self._waiting[:MAX_TOGETHER]
            return [caller.task for caller in group]

        outcomes: Sequence[Result | BaseException] = ()
        try:
            outcomes = self._work(take)
        except BaseException as error:
            if not group:
                take()
            outcomes = [error] * len(group)
            raise
        finally:
            self._together, self._seconds = len(group), time.perf_counter() - started
            self._tell(group, outcomes)

    def _gather(self) -> None:
        pause = min(self._seconds * GATHER_SHARE, GATHER_SECONDS)
        if self._together > 1 and pause > SHORTEST_GATHER and len(self._waiting) < self._together:
            time.sleep(pause)

    def _tell(self, group: Sequence[_Caller[Task, Result]], outcomes: Sequence[Result | BaseException]) -> None:
        """Gives everybody the outcome, and the first who came meanwhile the work."""
        with self._lock:
            for caller, outcome in zip(group, outcomes, strict=True):
                caller.outcome = outcome
            told = [caller for caller in group if not (caller.leads or caller.gone)]
            for caller, after in pairwise(told):
                caller.after = after
            successor = self._waiting[0] if self._waiting else None
            if successor is None:
                self._busy = False
            else:
                successor.leads = True
        if successor is not None:
            successor.news.release()
        if told:
            told[0].news.release()
