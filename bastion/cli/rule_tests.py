"""``flask rules test``."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from flask.cli import with_appcontext

from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.cli.rule_files import read_or_refuse
from bastion.engine import RuleSpec
from bastion.extensions import db
from bastion.services.rules.exporting import exported, rules_in_use
from bastion.services.rules.samples import KeptSample, try_kept


@click.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
@refusing
def test(path: Path | None, as_json: bool) -> None:
    """Try rules on their samples: those of a file or folder, or the stored ones; drafts too.

    A sample that fails is named, and makes the command fail at its end.
    """
    specs = _specs(path)
    failed: list[tuple[RuleSpec, KeptSample]] = []
    samples = bare = 0
    with progress(len(specs), "Testing") as advance:
        for spec in specs:
            tried = try_kept(spec)
            samples += len(tried)
            bare += not tried
            failed += [(spec, one) for one in tried if not one.passed]
            advance(1)
    if as_json:
        click.echo(json.dumps(_as_json(len(specs), samples, bare, failed)))
    else:
        for spec, one in failed:
            click.echo(f"{spec.name}: samples.{one.kind}: {one.fault}")
        click.echo(f"{len(specs):,} rules, {samples:,} samples, {len(failed):,} failed, {bare:,} rules without samples")
    if failed:
        raise click.exceptions.Exit(1)


def _specs(path: Path | None) -> Sequence[RuleSpec]:
    if path is None:
        return [spec for spec, _ in exported(db.session(), rules_in_use(db.session()))]
    return [filed.spec for filed in read_or_refuse(path, "nothing tested").rules]


def _as_json(rules: int, samples: int, bare: int, failed: Sequence[tuple[RuleSpec, KeptSample]]) -> dict[str, object]:
    return {
        "rules": rules,
        "samples": samples,
        "rules_without_samples": bare,
        "failed": [
            {
                "uuid": spec.uuid,
                "name": spec.name,
                "kind": one.kind,
                "number": one.number,
                "text": one.tried.text,
                "matched": one.tried.matched,
                "fault": one.fault,
            }
            for spec, one in failed
        ],
    }
