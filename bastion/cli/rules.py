"""``flask rules ...``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import AppGroup

from bastion.cli.backtest import backtest
from bastion.cli.evaluate import evaluate
from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.extensions import db
from bastion.services.rules import transfer

rules = AppGroup("rules", help="Rule files in and out, tried and measured.")
rules.add_command(backtest)
rules.add_command(evaluate)


@rules.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@refusing
def import_(path: Path) -> None:
    """Load a YAML file, or a folder of them: all of its rules, or none if any has a fault.

    A rule that is there already (same uuid) is brought up to the file's content.
    """
    try:
        report = transfer.import_rules(db.session(), path, _bar)
    except transfer.FaultyFilesError as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        raise click.ClickException(f"nothing imported, faults: {len(error.faults)}") from None
    db.session.commit()
    for note in report.notes:
        click.echo(f"note: {note}")
    click.echo(f"{len(report.new)} new, {len(report.changed)} changed, {len(report.same)} unchanged")


@contextmanager
def _bar(length: int) -> Iterator[Callable[[], None]]:
    with progress(length, "Trying patterns") as advance:
        yield lambda: advance(1)
