"""``flask database ...``."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.extensions import db
from bastion.runtime import runtime
from bastion.schema import init_db
from bastion.services import copying
from bastion.services.system_facts import masked_url
from bastion.settings import sync_database_url

database = AppGroup("database", help="The database as a whole.")


class DatabaseUrl(click.ParamType[str]):
    """What DATABASE_URL may say. A URL that is refused is not repeated: it may have a password."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return sync_database_url(value) or self.fail("wants a URL, got none", param, ctx)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@database.command()
@click.argument("from_url", type=DatabaseUrl())
@click.argument("to_url", type=DatabaseUrl())
@refusing
def copy(from_url: str, to_url: str) -> None:
    """Copy all rules, events and triggers from one database into another, empty one.

    Both URLs are as in DATABASE_URL, SQLite or PostgreSQL. A copy that was interrupted goes on when the same command
    is run again. Stop the servers of both databases first.
    """
    try:
        with _stopping_between_batches() as bar:
            copied = copying.copy_database(from_url, to_url, _migrate, bar)
    except KeyboardInterrupt:
        _note(from_url, to_url, "stopped")
        click.echo(
            "\nStopped. What was copied stays in TO_URL: run the same command again, and it goes on from there.",
            err=True,
        )
        sys.exit(130)
    _note(from_url, to_url, f"{sum(table.new for table in copied)} rows")
    for table in copied:
        counts = f"{table.content.rows:,} rows, {table.new:,} of them new"
        click.echo(f"{table.table:14} {counts:36} sha256 {table.content.sha256}")
    click.echo("Both databases hold the same.")


def _note(from_url: str, to_url: str, done: str) -> None:
    detail = {"from": masked_url(from_url), "to": masked_url(to_url), "done": done}
    runtime().audit.note("database.copied", detail=detail)


def _migrate(url: str) -> None:
    click.echo("TO_URL holds nothing yet: bringing it to this version's schema.")
    app = Flask(current_app.name, instance_path=current_app.instance_path)
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS={})
    db.init_app(app)
    app.extensions["migrate"] = current_app.extensions["migrate"]
    with app.app_context():
        init_db(auto_migrate=True)
        db.engine.dispose()


@contextmanager
def _stopping_between_batches() -> Iterator[copying.Bar]:
    """Lets Ctrl-C wait for the end of a batch, where no driver is in the middle of anything; a second one does not."""
    asked = False

    def ask(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, usual)

    def stop_if_asked() -> None:
        if asked:
            raise KeyboardInterrupt

    @contextmanager
    def bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
        stop_if_asked()
        with progress(length, label) as show:

            def advance(rows: int) -> None:
                show(rows)
                stop_if_asked()

            yield advance

    usual = signal.signal(signal.SIGINT, ask)
    try:
        yield bar
    finally:
        signal.signal(signal.SIGINT, usual)
