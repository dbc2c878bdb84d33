"""``flask rules backtest``."""

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from bastion.cli.durations import DURATION
from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.engine import RuleSpec
from bastion.extensions import db
from bastion.models import Rule, utc_now
from bastion.rulefile import FiledRule
from bastion.runtime import runtime
from bastion.services.rules import transfer
from bastion.services.rules.backtest import Backtest, Change, Outcome, Pair, since, total

SHOWN: Final = 5
"""Matching events that are shown for each rule."""


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.option("--since", "back", type=DURATION, default="7d", show_default=True, help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
@refusing
def backtest(path: Path, back: timedelta, as_json: bool) -> None:
    """Say what the rules of a file, or of a folder, would have matched among the stored events.

    A rule that is stored already (same uuid) is compared with its stored version. Nothing is stored, nobody is told.
    Events whose text was not kept cannot be tested, and are counted.
    """
    read = transfer.read_rules(path)
    if read.faults:
        for fault in read.faults:
            click.echo(str(fault), err=True)
        raise click.ClickException(f"nothing tested, faults: {len(read.faults)}")
    stored = {rule.uuid: rule.spec for rule in db.session.scalars(sa.select(Rule))}
    drafts = [_as_imported(filed, stored.get(filed.spec.uuid)) for filed in read.rules]
    test = Backtest([Pair(draft, stored.get(draft.uuid)) for draft in drafts], runtime().trying)
    now = utc_now()
    conditions = since(now - back, now)
    looked_at = untestable = 0
    outcomes = [Outcome() for _ in drafts]
    cursor, most = None, total(db.session(), conditions)
    with progress(most, "Testing") as advance:
        while True:
            step = test.step(db.session(), conditions, cursor)
            looked_at += step.looked_at
            untestable += step.untestable
            for outcome, found in zip(outcomes, step.outcomes, strict=True):
                outcome.add(found)
            advance(step.looked_at)
            cursor = step.cursor
            if cursor is None or looked_at >= most:
                break
    if as_json:
        rules = [_as_json(pair, outcome) for pair, outcome in zip(test.pairs, outcomes, strict=True)]
        click.echo(json.dumps({"looked_at": looked_at, "untestable": untestable, "rules": rules}, default=str))
        return
    click.echo(f"events looked at: {looked_at:,}, without a text to test: {untestable:,}")
    for pair, outcome in zip(test.pairs, outcomes, strict=True):
        _print(pair, outcome)


def _as_imported(filed: FiledRule, saved: RuleSpec | None) -> RuleSpec:
    """A file that says nothing of exceptions leaves those of the stored rule alone."""
    if saved is None or "exceptions" not in filed.unsaid:
        return filed.spec
    return replace(filed.spec, exceptions=saved.exceptions)


def _print(pair: Pair, outcome: Outcome) -> None:
    click.echo(f"\n{pair.draft.name}{'' if pair.saved else ' (not stored yet)'}")
    for change in Change:
        click.echo(f"{outcome.changes[change]:8,}  {change.value}")
    if outcome.unfinished:
        click.echo(f"{outcome.unfinished:8,}  ran out of time")
    if outcome.judged:
        click.echo(f"{outcome.false_positives:8,}  false positives of {outcome.judged:,} judged")
    for found in outcome.found[:SHOWN]:
        click.echo(
            f"          {found.timestamp:%Y-%m-%d %H:%M:%S} {found.change.value:4} event {found.id} {found.matched!r}"
        )


def _as_json(pair: Pair, outcome: Outcome) -> dict[str, Any]:
    return {
        "uuid": pair.draft.uuid,
        "name": pair.draft.name,
        "stored": pair.saved is not None,
        **{change.value: outcome.changes[change] for change in Change},
        "unfinished": outcome.unfinished,
        "judged": outcome.judged,
        "false_positives": outcome.false_positives,
        "events": [asdict(found) for found in outcome.found],
    }
