"""A server a test, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.servers import Server


@pytest.fixture
def server(databases: Databases, kind: str, instance: Path) -> Iterator[Server]:
    running = Server(databases.blank(kind), instance)
    yield running
    running.stop()
