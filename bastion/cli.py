"""``flask`` commands: thin layers over services."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, Final, ParamSpec

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError

from bastion.errors import BastionError
from bastion.extensions import db
from bastion.firewall.analysis import Analysis, Direction, Submission, check_size
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.runtime import runtime
from bastion.schema import init_db
from bastion.services import transfer
from bastion.services.accounts import Role
from bastion.services.setup import first_credentials, load_shipped_rules

Given = ParamSpec("Given")

SCAN_BATCH: Final = 200
"""Events that ``flask scan`` commits together."""

rules_group = AppGroup("rules", help="Rule files in and out.")
token_group = AppGroup("token", help="API tokens.")
user_group = AppGroup("user", help="Accounts for the pages.")


def register(app: Flask) -> None:
    """Adds the commands to the application."""
    for command in (init, scan, rules_group, token_group, user_group):
        app.cli.add_command(command)


def refusing(command: Callable[Given, None]) -> Callable[Given, None]:
    """Turns Bastion's own errors, and a database that is away, into the one line that a person wants to read."""

    @wraps(command)
    def wrapped(*arguments: Given.args, **options: Given.kwargs) -> None:
        try:
            command(*arguments, **options)
        except BastionError as error:
            raise click.ClickException(str(error)) from None
        except DBAPIError as error:
            raise click.ClickException(f"the database cannot be used: {error.orig}") from None

    return wrapped


@click.command()
@with_appcontext
@refusing
def init() -> None:
    """Make this copy ready to serve: schema, shipped rules, first account and token.

    What is there already stays as it is.
    """
    init_db(auto_migrate=runtime().settings.bastion_auto_migrate)
    loaded = load_shipped_rules(db.session())
    db.session.commit()
    if loaded:
        click.echo(f"Loaded {loaded} rules. Compiling them, once for this host: some seconds.")
        runtime().firewall.rules.current()
    done = first_credentials(runtime().accounts, runtime().tokens)
    if done.password:
        click.echo(f"Account:   {done.account}\nPassword:  {done.password}")
    if done.token:
        click.echo(f"API token: {done.token}")
    if done.password or done.token:
        click.echo("These are shown once. `flask user passwd` and `flask token create` make others.")


@rules_group.command("import")
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
    hidden = not length or not sys.stderr.isatty()
    with click.progressbar(length=length, label="Trying patterns", file=sys.stderr, hidden=hidden) as bar:
        yield lambda: bar.update(1)


@token_group.command("create")
@click.argument("name")
@refusing
def token_create(name: str) -> None:
    """Make a token that may analyse, read and write, and print it: it cannot be shown again."""
    click.echo(runtime().tokens.create(name))


@user_group.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.VIEWER.value, show_default=True)
@click.password_option()
@refusing
def user_add(name: str, role: str, password: str) -> None:
    """Make an account."""
    runtime().accounts.add(name, Role(role), password)


@user_group.command("passwd")
@click.argument("name")
@click.password_option()
@refusing
def user_passwd(name: str, password: str) -> None:
    """Set an account's password; its sessions end."""
    runtime().accounts.set_password(name, password)


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--flow", default=DEFAULT_FLOW, show_default=True, help="The flow that judges.")
@click.option("--source", default="scan", show_default=True, help="What the events name as their source.")
@click.option("--direction", type=click.Choice([one.value for one in Direction]), default=Direction.INPUT.value)
@click.option("--dry-run", is_flag=True, help="Record no events.")
@with_appcontext
@refusing
def scan(file: IO[bytes], flow: str, source: str, direction: str, dry_run: bool) -> None:
    """Judge every text of a JSON Lines file ({"text": ...} a line; - for standard input).

    Lines that cannot be read are named and counted, and make the command fail at its end; the others are
    judged and recorded all the same.
    """
    firewall = runtime().firewall
    tally = Tally()
    batch: list[Submission] = []

    def judge() -> None:
        judged = [firewall.judge(one) for one in batch] if dry_run else firewall.analyze_all(batch)
        for analysis in judged:
            tally.add(analysis)
        batch.clear()

    firewall.flows.get(flow)
    for number, line in _with_progress(file):
        try:
            batch.append(_submission(line, flow, source, Direction(direction)))
        except ValueError as error:
            tally.faulty += 1
            click.echo(f"line {number}: {error}", err=True)
        if len(batch) >= SCAN_BATCH:
            judge()
    judge()
    tally.print()
    if tally.faulty:
        raise click.ClickException(f"lines that could not be read: {tally.faulty}")


class Tally:
    """What ``flask scan`` counts."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.faulty = 0

    def add(self, analysis: Analysis) -> None:
        self.statuses[analysis.status.value] += 1
        self.rules.update(match.rule.name for match in analysis.verdict.matches)

    def print(self) -> None:
        click.echo(f"texts judged: {sum(self.statuses.values())}")
        for heading, counts in (("by status", self.statuses), ("by rule", self.rules)):
            click.echo(f"\n{heading}")
            for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                click.echo(f"{count:8}  {name}")
            if not counts:
                click.echo("    none")


def _submission(line: bytes, flow: str, source: str, direction: Direction) -> Submission:
    """Raises ``ValueError`` saying what the line lacks."""
    try:
        row = json.loads(line.decode("utf-8"))
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise ValueError('wants an object with a "text"')
    try:
        check_size(text)
    except BastionError as error:
        raise ValueError(str(error)) from None
    return Submission(prompt=text, flow_name=flow, source=source, direction=direction)


def _with_progress(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1, with a bar on a terminal where the size is known."""
    size = file.seek(0, os.SEEK_END) if file.seekable() else 0
    if size:
        file.seek(0)
    lines = ((number, line) for number, line in enumerate(file, start=1))
    hidden = not size or not sys.stderr.isatty()
    with click.progressbar([b""], length=size or 1, label="Scanning", file=sys.stderr, hidden=hidden) as bar:
        for number, line in lines:
            bar.update(len(line))
            if line.strip():
                yield number, line
