"""``flask rules export``, ``diff`` and ``lint``."""

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import click
from flask.cli import with_appcontext

from bastion.cli.progress import progress
from bastion.cli.refusing import refusing
from bastion.extensions import db
from bastion.rulefile import (
    JSON_LINES,
    MAX_FILE_BYTES,
    SUFFIXES,
    FiledRule,
    Format,
    Place,
    Remark,
    RuleFiles,
    write_rule,
)
from bastion.runtime import runtime
from bastion.services.rules import transfer
from bastion.services.rules.checks import expression_findings
from bastion.services.rules.exporting import Exported, exported, rules_in_use
from bastion.services.rules.samples import lacking_samples, sample_faults

_PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")

Advance = Callable[[int], None]


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in Format]),
    help="yaml (the usual) or jsonl; a PATH that ends in .jsonl says so too.",
)
@click.option("--with-history", is_flag=True, help="Also the versions that each rule keeps.")
@with_appcontext
@refusing
def export(path: Path | None, form: str | None, with_history: bool) -> None:
    """Write all rules in use: to standard output, into one file, or one YAML file a rule into a folder.

    PATH is a folder if it is one already, or has no suffix. What is in the folder beside stays there, and is counted.
    """
    chosen = _format(path, form)
    ids = rules_in_use(db.session())
    rules = exported(db.session(), ids, with_history=with_history)
    others = 0
    with progress(len(ids), "Writing") as advance:
        if path is None:
            for spec, history in rules:
                sys.stdout.write(write_rule(spec, chosen, history))
                advance(1)
        elif _is_folder(path):
            others = _write_folder(path, rules, advance)
        else:
            content = "".join(_ticking(rules, chosen, advance))
            if chosen is Format.YAML and len(content.encode()) > MAX_FILE_BYTES:
                raise click.ClickException(
                    "one YAML file is too large to be read again: name a folder or a .jsonl file"
                )
            _write_file(path, content)
    detail = {"rules": len(ids), "as": chosen.value, "with_history": with_history}
    runtime().audit.note("export", {"command": "flask rules export", **detail})
    if path is not None:
        click.echo(f"{len(ids):,} rules written")
        if others:
            click.echo(f"other rule files in the folder, left as they are: {others}")


def _format(path: Path | None, form: str | None) -> Format:
    meant = Format.JSONL if path is not None and path.suffix.lower() == JSON_LINES else Format.YAML
    chosen = Format(form) if form else meant
    if path is not None and _is_folder(path) and chosen is Format.JSONL:
        raise click.UsageError("JSON Lines are one file: name it, such as rules.jsonl")
    if path is not None and not _is_folder(path) and chosen is not meant:
        raise click.UsageError(f"--format {chosen} does not go with {path.name}")
    return chosen


def _is_folder(path: Path) -> bool:
    return path.is_dir() or not path.suffix


def _ticking(rules: Iterable[Exported], form: Format, advance: Advance) -> Iterable[str]:
    for spec, history in rules:
        yield write_rule(spec, form, history)
        advance(1)


def _write_folder(folder: Path, rules: Iterable[Exported], advance: Advance) -> int:
    """Writes a file a rule; returns how many other rule files there are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    for spec, history in rules:
        name = _file_name(spec.uuid)
        _write_file(folder / name, write_rule(spec, Format.YAML, history))
        written.add(name)
        advance(1)
    return sum(found.suffix.lower() in SUFFIXES and found.name not in written for found in folder.iterdir())


def _file_name(uuid: str) -> str:
    """A name that stays when the rule is renamed, and that no uuid, whatever it holds, leads out of the folder with."""
    plain = uuid if _PLAIN_NAME.fullmatch(uuid) else hashlib.sha256(uuid.encode()).hexdigest()[:32]
    return f"{plain}.yml"


def _write_file(path: Path, content: str) -> None:
    """Writes the whole file or leaves the old one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(content, "utf-8", newline="\n")
    part.replace(path)


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@with_appcontext
@refusing
def diff(path: Path) -> None:
    """Say which rules of a file or folder are new, changed or the same beside the stored ones, field by field.

    Faults are told, and make the command fail at its end. Nothing is stored.
    """
    read = transfer.read_rules(path)
    for fault in read.faults:
        click.echo(f"invalid    {fault}")
    show_plan(transfer.plan_import(db.session(), read))
    if read.faults:
        raise click.ClickException(f"faults: {len(read.faults)}")


def show_plan(planned: Sequence[transfer.Planned]) -> None:
    """Prints what an import would do."""
    kinds = Counter(one.kind for one in planned)
    for one in planned:
        if one.kind == "same":
            continue
        click.echo(f"{one.kind:10} {one.spec.name}")
        for difference in one.differences:
            click.echo(f"  {difference.field}")
            for pair in difference.pairs:
                if pair.changed:
                    for sign, line in (("-", pair.old), ("+", pair.new)):
                        if line is not None:
                            click.echo(f"    {sign} {''.join(piece.text for piece in line.pieces)}")
    click.echo(", ".join(f"{kinds[kind]} {kind}" for kind in ("new", "changed", "same")))


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@with_appcontext
@refusing
def lint(path: Path) -> None:
    """Say what is wrong with rule files, and what their author may not have meant: file, line and column.

    Faults, which keep the rules from being imported, make the command fail; warnings do not. No database is asked.
    """
    read = transfer.read_rules(path)
    faults = [*read.faults]
    warnings = [*read.notes]
    with progress(len(read.rules), "Looking") as advance:
        for filed in read.rules:
            faults += _sample_faults(filed)
            warnings += _warnings(filed)
            advance(1)
    for word, remarks in (("fault", faults), ("warning", warnings)):
        for remark in sorted(remarks, key=lambda one: (one.place.file, one.place.line, one.place.column)):
            place = remark.place
            click.echo(f"{place.file}:{place.line}:{place.column}: {word}: {remark.message}")
    click.echo(f"{len(read.rules)} rules, {len(faults)} faults, {len(warnings)} warnings")
    if faults:
        raise click.exceptions.Exit(1)


def _sample_faults(filed: FiledRule) -> Iterable[Remark]:
    if filed.spec.enabled:
        for fault in sample_faults(filed.spec):
            yield Remark(filed.place, f"{filed.spec.name!r}: {fault}")


def _warnings(filed: FiledRule) -> Iterable[Remark]:
    for finding in expression_findings(filed.spec):
        place = _expression_place(filed, finding.line)
        yield Remark(place, f"{filed.spec.name!r}: {finding.field}: {finding}")
    for lacking in lacking_samples(filed.spec):
        yield Remark(filed.place, f"{filed.spec.name!r}: {lacking}")


def _expression_place(filed: FiledRule, line: int) -> Place:
    numbers = range(1, len(filed.expressions) + 1)
    return filed.expressions[line - 1] if line in numbers else filed.place


def read_or_refuse(path: Path, nothing: str) -> RuleFiles:
    """The rules of a file or folder. Names every fault, and ends the command if there is any."""
    read = transfer.read_rules(path)
    for fault in read.faults:
        click.echo(str(fault), err=True)
    if read.faults:
        raise click.ClickException(f"{nothing}, faults: {len(read.faults)}")
    return read
