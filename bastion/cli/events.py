"""``flask events ...``."""

import sys
from datetime import timedelta

import click
from flask.cli import AppGroup

from bastion.cli.durations import DURATION
from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.engine import Status
from bastion.extensions import db
from bastion.models import utc_now
from bastion.runtime import runtime
from bastion.services.events.retention import Old, count_old
from bastion.services.events.retention import prune as delete_old

events = AppGroup("events", help="Recorded events.")


@events.command()
@click.option("--older-than", type=DURATION, required=True, help="The age from which events go, such as 90d.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only events of this status.")
@click.option("--judged", is_flag=True, help="Also events with triggers that an analyst has judged.")
@click.option("--dry-run", is_flag=True, help="Count them, delete nothing.")
@refusing
def prune(older_than: timedelta, status: str | None, judged: bool, dry_run: bool) -> None:
    """Delete old events with their triggers, a few at a time, the oldest first.

    It can be interrupted at any time: what is deleted is deleted, and the same command goes on. Events with judged
    triggers are spared unless told otherwise.
    """
    old = Old(utc_now() - older_than, Status(status) if status else None, judged)
    most = count_old(db.engine, old)
    if dry_run:
        click.echo(f"{most:,} events would be deleted")
        return
    deleted = 0
    try:
        with progress(most, "Deleting") as advance:

            def advanced(events: int) -> None:
                nonlocal deleted
                deleted += events
                advance(events)

            delete_old(db.engine, old, advanced)
    except KeyboardInterrupt:
        _note(old, older_than, deleted)
        click.echo(f"\nStopped: {deleted:,} events are deleted. Run the same command again to go on.", err=True)
        sys.exit(130)
    _note(old, older_than, deleted)
    click.echo(f"{deleted:,} events deleted")


def _note(old: Old, age: timedelta, deleted: int) -> None:
    status = old.status.value if old.status else None
    detail = {"rows": deleted, "older_than_days": age / timedelta(days=1), "status": status, "judged": old.judged}
    runtime().audit.note("events.pruned", detail=detail)
