"""Rule files into the database: first what they would do, then all of them, or none."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.compiler.probing import probe
from bastion.engine import RuleSpec
from bastion.engine.expressions import expressions_of
from bastion.errors import BastionError, Conflict, NotFound
from bastion.models import Rule
from bastion.rulefile import SUFFIXES, FiledRule, Remark, RuleFiles, SourceFile, read_rule_files
from bastion.services.audit.changes import note_when_committed
from bastion.services.rules.comparing import FieldDifference, differences
from bastion.services.rules.history import content_of
from bastion.services.rules.samples import lacking_samples, sample_faults
from bastion.services.rules.stored_rules import (
    CONTENT,
    adopt_history,
    create_rule,
    readable,
    update_rule,
    would_change,
)

RULEPACK: Final = Path(__file__).resolve().parents[2] / "rulepack"

_SHOWN: Final = [name for name in CONTENT if name != "uuid"]

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


@dataclass(frozen=True)
class Planned:
    """What storing a rule of a file would do: ``rule`` is the stored one, ``spec`` what it would say."""

    filed: FiledRule
    spec: RuleSpec
    rule: Rule | None

    @cached_property
    def kind(self) -> str:
        if self.rule is None:
            return "new"
        return "changed" if would_change(self.rule, self.spec) else "same"

    @property
    def differences(self) -> list[FieldDifference]:
        """What would change, field by field."""
        if self.rule is None or self.kind != "changed":
            return []
        return differences(content_of(self.rule), _as_content(self.spec), _SHOWN)

    @property
    def lacks_samples(self) -> bool:
        """Whether it would block, and nothing shows what it does."""
        return self.kind != "same" and bool(lacking_samples(self.spec))


@contextmanager
def no_bar(_length: int) -> Iterator[Callable[[], None]]:
    """Shows nothing."""
    yield lambda: None


def import_rules(session: Session, path: Path, bar: Bar = no_bar) -> ImportReport:
    """Imports a file or a folder, as ``store_rules`` does, once what it would change has been tried out.

    Raises:
        NotFound: when there is no such file, or no rule file in the folder.
        FaultyFilesError: with every fault; then nothing is imported.
        CheckUnavailable: when expressions cannot be tried out now; then nothing is imported.
    """
    read = read_rules(path)
    if faults := read.faults or try_out(session, plan_import(session, read), bar):
        raise FaultyFilesError(tuple(faults))
    return store_rules(session, read)


def plan_import(session: Session, read: RuleFiles) -> list[Planned]:
    """What storing these rules would do, in their order. A rule that is there already, by uuid, is brought up to the
    file's content; what the file does not speak of stays as it is, such as whether the rule is enabled.
    """
    stored = {rule.uuid: rule for rule in session.scalars(sa.select(Rule))}
    return [_planned(filed, stored.get(filed.spec.uuid)) for filed in read.rules]


def try_out(session: Session, planned: Sequence[Planned], bar: Bar = no_bar) -> list[Remark]:
    """What keeps the rules from being stored: expressions that compile badly, and samples that fail."""
    faults = [*_slow_expressions(session, planned, bar)]
    slow = {fault.place for fault in faults}
    for one in planned:
        if one.kind != "same" and one.spec.enabled and one.filed.place not in slow:
            faults += [
                Remark(one.filed.place, f"{one.spec.name!r}: {fault}: mend it, or give it the status draft")
                for fault in sample_faults(one.spec)
            ]
    return faults


def fingerprint(planned: Sequence[Planned]) -> str:
    """The same for the same content over the same stored versions, and for nothing else."""
    digest = hashlib.sha256()
    for one in planned:
        digest.update(repr((one.spec, one.filed.history, one.rule and (one.rule.id, one.rule.version))).encode())
    return digest.hexdigest()


def store_rules(
    session: Session,
    read: RuleFiles,
    *,
    actor: str | None = None,
    why: str | None = None,
    as_planned: str | None = None,
) -> ImportReport:
    """Stores rules whose patterns are known to compile well and whose samples are known to hold, as they are planned.

    ``as_planned`` is the fingerprint of the plan that somebody has seen. Raises ``Conflict`` if it would do something
    else by now.
    """
    planned = plan_import(session, read)
    if as_planned is not None and fingerprint(planned) != as_planned:
        raise Conflict("the stored rules have changed since they were compared with the files")
    names: dict[str, list[str]] = {"new": [], "changed": [], "same": []}
    for one in planned:
        names[one.kind].append(one.spec.name)
        if one.rule is None:
            rule = create_rule(session, one.spec, probed=True, actor=actor, why=why)
            if one.filed.history:
                adopt_history(session, rule, one.filed.history)
        elif one.kind == "changed":
            changes = {name: getattr(one.spec, name) for name in CONTENT}
            update_rule(session, one.rule, changes, one.rule.version, probed=True, actor=actor, why=why)
    note_when_committed(session, "rules.imported", {kind: len(found) for kind, found in names.items()})
    return ImportReport(tuple(names["new"]), tuple(names["changed"]), tuple(names["same"]), read.notes)


def _planned(filed: FiledRule, rule: Rule | None) -> Planned:
    if rule is None:
        return Planned(filed, filed.spec, None)
    stored = readable(rule)
    kept = {name: getattr(stored, name) for name in filed.unsaid if name != "category" or not filed.spec.category}
    return Planned(filed, replace(filed.spec, **kept), rule)


def _as_content(spec: RuleSpec) -> dict[str, Any]:
    content = {name: getattr(spec, name) for name in CONTENT}
    return content | {"exceptions": [one.as_json() for one in spec.exceptions]}


def _slow_expressions(session: Session, planned: Sequence[Planned], bar: Bar) -> Iterator[Remark]:
    stored = session.execute(sa.select(Rule.language, Rule.pattern))
    known = {line for language, pattern in stored for _, line in expressions_of(language, pattern)}
    lines = {line for one in planned for _, line in expressions_of(one.spec.language, one.spec.pattern)} - known
    with bar(len(lines)) as tick:
        faults = probe(sorted(lines), tick) if lines else {}
    for one in planned:
        for number, line in expressions_of(one.spec.language, one.spec.pattern):
            if fault := faults.get(line):
                wrong = f"pattern: line {number}, column {fault.column}: {fault.reason}"
                yield Remark(one.filed.place, f"{one.spec.name!r}: {wrong}")


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
