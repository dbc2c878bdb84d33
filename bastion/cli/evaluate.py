"""``flask rules evaluate``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import click
from flask.cli import with_appcontext

from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.engine import Engine
from bastion.errors import BastionError
from bastion.firewall.analysis import check_size
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.runtime import runtime
from bastion.services.rules import transfer
from bastion.services.rules.evaluation import Evaluation, Label, LabelledText, Outcome, Share, read_labelled

SHOWN_FAULTS: Final = 20


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--rules",
    "folder",
    type=click.Path(exists=True, path_type=Path),
    help="Rule files to judge with, instead of the stored rules.",
)
@click.option("--flow", default=DEFAULT_FLOW, show_default=True, help="The flow that judges.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
@refusing
def evaluate(file: IO[bytes], folder: Path | None, flow: str, as_json: bool) -> None:
    """Say how many attacks the rules find, and how many harmless texts they take for one, by kind and by rule.

    FILE is JSON Lines: "text", "label" (attack or benign) and "kind" a line; - for standard input. Nothing is recorded.
    Shares have the interval in which the true one lies, 95 times of 100 (Wilson). Lines that cannot be read are named,
    and make the command fail at its end.
    """
    policy = runtime().firewall.flows.get(flow)
    lines = [(number, line) for number, line in enumerate(file, start=1) if line.strip()]
    engine = _engine(folder) if folder else runtime().firewall.rules.current().engine
    evaluation = Evaluation()
    faults: list[str] = []
    with progress(len(lines), "Judging") as advance:
        for labelled in _labelled(lines, faults):
            if labelled is not None:
                verdict = engine.scan(labelled.text, policy.pipelines, policy.exclude_categories)
                evaluation.add(labelled, policy.decide(verdict), verdict)
            advance(1)
    click.echo(json.dumps(evaluation.as_json(), ensure_ascii=False) if as_json else "\n".join(_table(evaluation)))
    if faults:
        for fault in faults[:SHOWN_FAULTS]:
            click.echo(fault, err=True)
        raise click.ClickException(f"lines that could not be read: {len(faults)}")


def _engine(folder: Path) -> Engine:
    """The rules of the files, compiled here: no database is asked."""
    read = transfer.read_rules(folder)
    if read.faults:
        for fault in read.faults:
            click.echo(str(fault), err=True)
        raise click.ClickException(f"nothing judged, faults: {len(read.faults)}")
    with progress(1, f"Compiling {len(read.rules)} rules") as advance:
        engine = Engine(filed.spec for filed in read.rules)
        advance(1)
    for fault_of in engine.rejected:
        click.echo(f"left out: {fault_of.rule.name}: {fault_of.reason}", err=True)
    return engine


def _labelled(lines: list[tuple[int, bytes]], faults: list[str]) -> Iterator[LabelledText | None]:
    """Each line as a labelled text, or ``None`` for one that is not; then ``faults`` has it by its number."""
    for number, line in lines:
        try:
            labelled = read_labelled(line)
            check_size(labelled.text)
        except (ValueError, BastionError) as error:
            faults.append(f"line {number}: {error}")
            yield None
        else:
            yield labelled


def _table(evaluation: Evaluation) -> Iterator[str]:
    yield f"{'':32}{'texts':>7}  {'flagged':22}  {'blocked':22}"
    for label in Label:
        yield _row(label.value, evaluation.labels[label])
        for (of, kind), outcome in sorted(evaluation.kinds.items()):
            if of is label:
                yield _row(f"  {kind}", outcome)
    if unfinished := sum(outcome.unfinished for outcome in evaluation.labels.values()):
        yield f"texts that could not be wholly judged: {unfinished}"
    yield ""
    yield f"{'attacks':>7} {'alone':>6} {'benign':>7} {'alone':>6}  action  rule"
    for one in evaluation.ranked_rules:
        counts = [one.texts[Label.ATTACK], one.alone[Label.ATTACK], one.texts[Label.BENIGN], one.alone[Label.BENIGN]]
        yield "{:7} {:6} {:7} {:6}".format(*counts) + f"  {one.rule.action.value:6}  {one.rule.name}"


def _row(name: str, outcome: Outcome) -> str:
    return f"{name:32.32}{outcome.texts:7}  {_share(outcome.flagged):22}  {_share(outcome.blocked):22}"


def _share(share: Share) -> str:
    if not share.of:
        return "-"
    low, high = share.interval
    return f"{100 * share.value:5.1f}% ({100 * low:.1f} to {100 * high:.1f})"
