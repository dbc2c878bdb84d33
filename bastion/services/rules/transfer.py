"""Rule files into the database: all of them, or none."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.compiler.probing import probe
from bastion.engine.rules import pattern_lines
from bastion.errors import BastionError, NotFound
from bastion.models import Rule
from bastion.rulefile import Remark, RuleFiles, SourceFile, read_rule_files
from bastion.services.audit.changes import note_when_committed
from bastion.services.rules.stored_rules import CONTENT, create_rule, update_rule

RULEPACK: Final = Path(__file__).resolve().parents[2] / "rulepack"
SUFFIXES: Final = (".yml", ".yaml")


Bar = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Shows how far a long work of so many steps is; what it gives is called after each."""


class FaultyFilesError(BastionError):
    """Rule files with faults: nothing of them was imported."""

    def __init__(self, faults: tuple[Remark, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, by name of rule, and what there is to tell about it."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    notes: tuple[Remark, ...]


@contextmanager
def no_bar(_length: int) -> Iterator[Callable[[], None]]:
    """Shows nothing."""
    yield lambda: None


def import_rules(session: Session, path: Path, bar: Bar = no_bar) -> ImportReport:
    """Imports a file or a folder, as ``store_rules`` does, once each new expression has been tried out.

    Raises:
        NotFound: when there is no such file, or no rule file in the folder.
        FaultyFilesError: with every fault; then nothing is imported.
        CheckUnavailable: when expressions cannot be tried out now; then nothing is imported.
    """
    read = read_rules(path)
    faults = read.faults or tuple(_slow_expressions(session, read, bar))
    if faults:
        raise FaultyFilesError(faults)
    return store_rules(session, read)


def store_rules(session: Session, read: RuleFiles) -> ImportReport:
    """Stores rules whose patterns are known to compile well. A rule that is there already, by uuid, is brought up
    to the file's content and stays enabled, disabled or archived as it is.
    """
    stored = {rule.uuid: rule for rule in session.scalars(sa.select(Rule))}
    new: list[str] = []
    changed: list[str] = []
    same: list[str] = []
    for spec in (filed.spec for filed in read.rules):
        rule = stored.get(spec.uuid)
        if rule is None:
            create_rule(session, spec, probed=True)
            new.append(spec.name)
            continue
        before = rule.version
        kept = replace(spec, enabled=rule.enabled, category=spec.category or rule.category)
        update_rule(session, rule, {name: getattr(kept, name) for name in CONTENT}, probed=True)
        (same if rule.version == before else changed).append(spec.name)
    note_when_committed(session, "rules.imported", {"new": len(new), "changed": len(changed), "same": len(same)})
    return ImportReport(tuple(new), tuple(changed), tuple(same), read.notes)


def _slow_expressions(session: Session, read: RuleFiles, bar: Bar) -> Iterator[Remark]:
    known = {line for pattern in session.scalars(sa.select(Rule.pattern)) for _, line in pattern_lines(pattern)}
    lines = {line for filed in read.rules for _, line in pattern_lines(filed.spec.pattern)} - known
    with bar(len(lines)) as tick:
        faults = probe(sorted(lines), tick)
    for filed in read.rules:
        for number, line in pattern_lines(filed.spec.pattern):
            if fault := faults.get(line):
                wrong = f"pattern: line {number}, column {fault.column}: {fault.reason}"
                yield Remark(filed.place, f"{filed.spec.name!r}: {wrong}")


def read_rules(path: Path) -> RuleFiles:
    """Reads a file or a folder's rule files in the order of their names; raises ``NotFound``."""
    files = list(_files(path))
    if not files:
        raise NotFound(f"{path}: there is no rule file ({', '.join(SUFFIXES)})")
    return read_rule_files(files)


def _files(path: Path) -> Iterator[SourceFile]:
    if path.is_file():
        yield SourceFile(path.name, path.read_bytes())
        return
    for file in sorted(found for found in path.rglob("*") if found.suffix.lower() in SUFFIXES and found.is_file()):
        # AIDR Bastion sorts its rules into folders by category and names no category in the file.
        category = file.parent.name.lower() if file.parent != path else None
        yield SourceFile(str(file.relative_to(path)), file.read_bytes(), category)
