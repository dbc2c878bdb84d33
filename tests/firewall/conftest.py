"""A PostgreSQL of a test's own, to be killed."""

from collections.abc import Iterator

import pytest

from tests.postgres import TemporaryPostgres


@pytest.fixture
def postgres() -> Iterator[TemporaryPostgres]:
    # What it has committed has to outlive its end.
    server = TemporaryPostgres(durable=True)
    yield server
    server.stop()
