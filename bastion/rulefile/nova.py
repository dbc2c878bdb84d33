"""Files of NOVA (https://github.com/fr0gger/nova-framework): ``rule Name { meta: ... keywords: ... condition: ... }``.

What the meta of a rule says goes where a rule keeps it; what it keeps no place for stays with the pattern, which is the
rest of the rule as it is written.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from bastion.engine.nova import NOVA
from bastion.engine.nova.pattern import Conditional, read_conditional
from bastion.engine.nova.sections import Entry, Sections, read_sections
from bastion.engine.patterns import PatternError
from bastion.engine.rules import Action, RuleSpec, Severity
from bastion.engine.validation import rule_faults
from bastion.rulefile.documents import text_of
from bastion.rulefile.places import FiledRule, Place, Remark, SourceFile

NOVA_SUFFIXES: Final = (".nov", ".nova")

_HEAD: Final = re.compile(r"\s*rule\s+(?P<name>[^\s{]+)\s*(?P<brace>\{?)\s*(?://.*|#.*)?", re.IGNORECASE)
_IDLE: Final = re.compile(r"\s*(?://.*|#.*)?")
_CONDITION: Final = re.compile(r"\s*condition\s*:", re.IGNORECASE)
_CLOSED: Final = re.compile(r"(?P<line>[^}]*)\}\s*(?://.*|#.*)?")

_META: Final = {
    "uuid": ("uuid", "id"),
    "details": ("description",),
    "author": ("author",),
    "severity": ("severity",),
    "category": ("category",),
    "references": ("reference", "references"),
}
"""The keys of meta that say what a field of a rule says."""

_NEVER_SAID: Final = frozenset(
    {"action", "enabled", "views", "validator", "cwe_id", "tags", "false_positives", "exceptions"}
    | {"must_match", "must_not_match"}
)


@dataclass(frozen=True, slots=True)
class _Block:
    """One rule: its name, the line of its head, and the lines between its braces, the first of which is ``first``."""

    name: str
    line: int
    first: int
    lines: Sequence[str]


def looks_like_nova(text: str) -> bool:
    """Whether a text begins as a file of NOVA does."""
    began = next((line for line in text.lstrip("\ufeff").split("\n") if not _IDLE.fullmatch(line)), "")
    return _HEAD.fullmatch(began) is not None


def read_nova(file: SourceFile) -> Iterator[FiledRule | Remark]:
    """The rules of a file, and what is wrong with it."""
    text = text_of(file)
    if isinstance(text, Remark):
        yield text
        return
    empty = True
    for block in _blocks(text.split("\n")):
        empty = False
        if isinstance(block, PatternError):
            yield _fault(file, block)
        else:
            yield from _read(block, file)
    if empty:
        yield Remark(Place(file.name, 1), "holds no rule")


def _blocks(lines: Sequence[str]) -> Iterator[_Block | PatternError]:
    """The rules one after the other. A brace ends one where it stands alone, or behind a condition."""
    at = 0
    while at < len(lines):
        line = lines[at].rstrip("\r")
        at += 1
        if _IDLE.fullmatch(line):
            continue
        head = _HEAD.fullmatch(line)
        if head is None:
            column = len(line) - len(line.lstrip()) + 1
            yield PatternError(at, column, f"wants rule and a name, and then a brace, not {line.strip()[:40]!r}")
            at = _next_head(lines, at)
            continue
        began = at
        if not head["brace"]:
            while at < len(lines) and _IDLE.fullmatch(lines[at]):
                at += 1
            if at == len(lines) or lines[at].strip() != "{":
                yield PatternError(began, len(line.rstrip()) + 1, f"wants {{ behind the name {head['name'][:40]}")
                at = _next_head(lines, at)
                continue
            at += 1
        first = at
        body = []
        in_condition = closed = False
        while at < len(lines) and not closed:
            text = lines[at].rstrip("\r")
            in_condition = in_condition or _CONDITION.match(text) is not None
            ended = _CLOSED.fullmatch(text)
            closed = ended is not None and (in_condition or not ended["line"].strip())
            if _HEAD.fullmatch(text) and not closed:
                break
            body.append(ended["line"] if closed and ended else text)
            at += 1
        if closed:
            yield _Block(head["name"], began, first + 1, body)
        else:
            yield PatternError(began, 1, f"the rule {head['name'][:40]} has no end: it wants }} on a line of its own")


def _next_head(lines: Sequence[str], at: int) -> int:
    return next((place for place in range(at, len(lines)) if _HEAD.fullmatch(lines[place].rstrip("\r"))), len(lines))


def _read(block: _Block, file: SourceFile) -> list[FiledRule | Remark]:
    sections = read_sections(block.lines, block.first)
    conditional, faults = read_conditional(sections)
    faults += _meta_faults(sections)
    if conditional is None or faults:
        return [_fault(file, fault, block.name) for fault in sorted(faults, key=lambda one: (one.line, one.column))]
    spec, unknown = _spec(block, sections, conditional, file.category)
    if wrong := rule_faults(spec):
        return [
            Remark(_place_of(fault.field, block, sections, file), f"{block.name[:100]!r}: {fault}") for fault in wrong
        ]
    said = {field for field, keys in _META.items() if _said(sections, keys)}
    unsaid = _NEVER_SAID | ({"severity", "category", "author", "references"} - said)
    if not spec.enabled:
        unsaid -= {"enabled"}
    place = Place(file.name, block.line)
    return [
        FiledRule(
            spec,
            place,
            unsaid=frozenset(unsaid),
            expressions=tuple(Place(file.name, line) for line in _lines_kept(block, sections)),
            notes=tuple(_notes(conditional, unknown)),
        )
    ]


def _spec(
    block: _Block, sections: Sections, conditional: Conditional, category: str | None
) -> tuple[RuleSpec, str | None]:
    """The rule, and the word for a severity that there is not."""
    word = (_first(sections, "severity") or "").lower()
    severity = Severity(word) if word in set(Severity) else None
    details = [_first(sections, "details") or f"The NOVA rule {block.name}."]
    if reason := conditional.unrunnable:
        details.append(f"Only a draft: it {reason}.")
    elif asked := conditional.asked:
        details.append(f"Runs on its keywords alone, without asking for {', '.join(asked)}.")
    spec = RuleSpec(
        uuid=_first(sections, "uuid") or str(uuid5(NAMESPACE_URL, f"nova:{block.name}")),
        name=block.name,
        details="\n\n".join(details),
        language=NOVA,
        pattern=_pattern(block, sections),
        action=Action.NOTIFY,
        severity=severity,
        category=_first(sections, "category") or category,
        enabled=reason is None,
        author=_first(sections, "author"),
        references=tuple(dict.fromkeys(entry.value.strip() for entry in _said(sections, _META["references"]))),
    )
    return spec, word if word and not severity else None


def _notes(conditional: Conditional, severity: str | None) -> Iterator[str]:
    if conditional.unrunnable:
        yield f"is imported as a draft: it {conditional.unrunnable}"
    elif conditional.asked:
        yield f"runs on its keywords alone, without asking for {', '.join(conditional.asked)}"
    if conditional.unused:
        names = ", ".join(f"${name}" for name in conditional.unused)
        yield f"has keywords that its condition does not name: {names}"
    if severity:
        yield f"has the severity {severity[:40]!r}, which is left out: there are {', '.join(Severity)}"


def _said(sections: Sections, keys: Sequence[str]) -> list[Entry]:
    return [entry for key in keys for entry in sections.meta.get(key, ()) if entry.value.strip()]


def _first(sections: Sections, field: str) -> str | None:
    return next((entry.value.strip() for entry in _said(sections, _META[field])), None)


def _meta_faults(sections: Sections) -> list[PatternError]:
    return [
        PatternError(entries[1].line, entries[1].column, f"gives {key} twice in meta")
        for key, entries in sections.meta.items()
        if len(entries) > 1 and key not in _META["references"]
    ]


def _lines_kept(block: _Block, sections: Sections) -> list[int]:
    """The lines of the pattern: all but those of meta that went elsewhere."""
    keys = {key for keys in _META.values() for key in keys}
    others = any(key is not None and key not in keys for _, key in sections.meta_lines)
    gone = {line for line, key in sections.meta_lines if not others or key in keys}
    if others:
        # The line of the header stays, even if it gives a key.
        gone -= {line for line, key in sections.meta_lines if key is None}
    kept = [block.first + place for place in range(len(block.lines)) if block.first + place not in gone]
    while kept and not block.lines[kept[0] - block.first].strip():
        kept.pop(0)
    while kept and not block.lines[kept[-1] - block.first].strip():
        kept.pop()
    return kept


def _pattern(block: _Block, sections: Sections) -> str:
    lines = [block.lines[line - block.first].rstrip() for line in _lines_kept(block, sections)]
    return textwrap.dedent("\n".join(lines))


def _place_of(field: str, block: _Block, sections: Sections, file: SourceFile) -> Place:
    entries = _said(sections, _META.get(field, ()))
    return Place(file.name, entries[0].line, entries[0].column) if entries else Place(file.name, block.line)


def _fault(file: SourceFile, fault: PatternError, rule: str | None = None) -> Remark:
    of_rule = f"{rule[:100]!r}: " if rule else ""
    return Remark(Place(file.name, fault.line, fault.column), f"{of_rule}column {fault.column}: {fault.reason}")
