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
from bastion.cli.rule_files import diff, export, lint, read_or_refuse, show_plan
from bastion.cli.rule_tests import test
from bastion.extensions import db
from bastion.services.rules import transfer

rules = AppGroup("rules", help="Rule files in and out, tried and measured.")
for command in (backtest, evaluate, export, diff, lint, test):
    rules.add_command(command)


@rules.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be new, changed and the same, and store nothing.")
@refusing
def import_(path: Path, dry_run: bool) -> None:
    """Load a file of YAML or JSON Lines, or a folder of them: all of its rules, or none if any has a fault.

    A rule that is there already (same uuid) is brought up to the file's content; what the file does not speak of stays
    as it is. No rule is ever taken away.
    """
    session = db.session()
    read = read_or_refuse(path, "nothing imported")
    planned = transfer.plan_import(session, read)
    if faults := transfer.try_out(session, planned, _bar):
        for fault in faults:
            click.echo(str(fault), err=True)
        raise click.ClickException(f"nothing imported, faults: {len(faults)}")
    for note in read.notes:
        click.echo(f"note: {note}")
    if bare := [one.spec.name for one in planned if one.lacks_samples]:
        click.echo(f"note: {len(bare):,} rules block and lack a sample of a kind, such as {bare[0]!r}")
    if dry_run:
        show_plan(planned)
        click.echo("Nothing is stored.")
        return
    report = transfer.store_rules(session, read)
    session.commit()
    click.echo(f"{len(report.new)} new, {len(report.changed)} changed, {len(report.same)} unchanged")


@contextmanager
def _bar(length: int) -> Iterator[Callable[[], None]]:
    with progress(length, "Trying patterns") as advance:
        yield lambda: advance(1)
