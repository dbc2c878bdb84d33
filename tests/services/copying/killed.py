"""``python -m tests.services.copying.killed FROM_URL TO_URL EVENTS``: a copy that ends by SIGKILL.

After so many events are copied, it ends in the middle of the next batch: its rows are sent and not committed.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from bastion.services.copying import copy_database


def main(from_url: str, to_url: str, events: int) -> None:
    copied = 0

    @contextmanager
    def bar(_length: int, label: str) -> Iterator[Any]:
        def advance(rows: int) -> None:
            nonlocal copied
            copied += rows if label == "Copying events" else 0

        yield advance

    def end(_connection: sa.Connection) -> None:
        if copied >= events:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "commit", end)
    copy_database(from_url, to_url, _refuse, bar)


def _refuse(_url: str) -> None:
    raise AssertionError("the target has its schema")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
