"""Rule files in AIDR Bastion's YAML shape, and as JSON Lines, to and from ``RuleSpec``; and NOVA's, to it.

Pure: text in, rules and faults out. One file holds one rule or several, as YAML documents, as lines, or one after the
other. Every fault is reported with its place.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from bastion.rulefile.documents import JSON_LINES, MAX_FILE_BYTES, documents
from bastion.rulefile.fields import read_document
from bastion.rulefile.nova import NOVA_SUFFIXES, looks_like_nova, read_nova
from bastion.rulefile.own_uuids import with_own_uuids
from bastion.rulefile.places import FiledRule, Place, Remark, RuleFiles, SourceFile
from bastion.rulefile.writing import Format, write_rule, write_rules

__all__ = [
    "JSON_LINES",
    "MAX_FILE_BYTES",
    "NOVA_SUFFIXES",
    "SUFFIXES",
    "FiledRule",
    "Format",
    "Place",
    "Remark",
    "RuleFiles",
    "SourceFile",
    "looks_like_nova",
    "read_rule_files",
    "write_rule",
    "write_rules",
]


SUFFIXES: Final = (".yml", ".yaml", JSON_LINES, *NOVA_SUFFIXES)
"""Of the files that are read."""


def read_rule_files(files: Iterable[SourceFile]) -> RuleFiles:
    """Reads every rule of every file. A uuid that different rules share is kept by the first of them."""
    rules: list[FiledRule] = []
    faults: list[Remark] = []
    notes: list[Remark] = []
    for file in files:
        for item in _read(file):
            if isinstance(item, Remark):
                faults.append(item)
            else:
                rules.append(item)
    notes += [Remark(rule.place, f"{rule.spec.name!r} {note}") for rule in rules for note in rule.notes]
    notes += [
        Remark(rule.place, f"{rule.spec.name!r} has the key {key!r}, which means nothing here and is left out")
        for rule in rules
        for key in rule.unknown_keys
    ]
    distinct = list(with_own_uuids(rules, notes))
    notes.extend(note for rule in distinct if (note := _beyond_ascii(rule)))
    return RuleFiles(tuple(distinct), tuple(faults), tuple(notes))


def _read(file: SourceFile) -> Iterator[FiledRule | Remark]:
    if file.name.lower().endswith(NOVA_SUFFIXES):
        yield from read_nova(file)
        return
    for document in documents(file):
        yield from [document] if isinstance(document, Remark) else read_document(document, file)


def _beyond_ascii(rule: FiledRule) -> Remark | None:
    """Worth a note: AIDR Bastion's loader replaces such characters by spaces."""
    found = [field for field in ("name", "details", "pattern") if not str(getattr(rule.spec, field)).isascii()]
    if not found:
        return None
    where = ", ".join(found)
    return Remark(rule.place, f"{rule.spec.name!r} has non-ASCII characters in its {where}; they are kept as they are")
