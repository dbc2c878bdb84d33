"""``flask scan``."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import IO, Final

import click
from flask.cli import with_appcontext

from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.errors import BastionError
from bastion.firewall.analysis import Analysis, Direction, Submission, check_size
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.runtime import runtime

SCAN_BATCH: Final = 200
"""Events that ``flask scan`` commits together."""


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
    with progress(size, "Scanning") as advance:
        for number, line in lines:
            advance(len(line))
            if line.strip():
                yield number, line
