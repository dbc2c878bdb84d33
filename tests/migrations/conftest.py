"""Databases without tables, and ``flask db`` in this process."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from flask import Flask

from bastion import create_app, extensions
from bastion.extensions import db
from tests.databases import Databases

Migrate = Callable[..., str]


@pytest.fixture
def blank(databases: Databases, kind: str) -> str:
    return databases.blank(kind)


@pytest.fixture
def bare_app(blank: str, instance: Path) -> Iterator[Flask]:
    """An application on a database without tables."""
    app = create_app(database_url=blank, bastion_instance=instance)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def engine(bare_app: Flask) -> sa.Engine:
    with bare_app.app_context():
        return db.engine


@pytest.fixture
def migrate(bare_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Migrate:
    """Runs a ``flask db`` command and returns what it prints; the test fails when the command does."""

    def print_here(config: Config) -> Config:
        # Alembic would print to the output that there was when it was imported.
        config.stdout = sys.stdout
        return config

    monkeypatch.setattr(extensions.migrate, "configure_callbacks", [print_here])

    def run(*arguments: str, fails: bool = False) -> str:
        done = bare_app.test_cli_runner().invoke(args=["db", *arguments])
        assert bool(done.exit_code) is fails, done.output
        return done.stdout

    return run
