"""Two databases, of every pair of kinds."""

import pytest

from tests.databases import KINDS, Databases


@pytest.fixture(params=KINDS)
def other_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(databases: Databases, kind: str) -> str:
    return databases.migrated(kind)


@pytest.fixture
def target(databases: Databases, other_kind: str) -> str:
    return databases.migrated(other_kind)
