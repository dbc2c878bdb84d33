"""Rule files in AIDR Bastion's YAML shape, to and from ``RuleSpec``. Pure: text in, rules and faults out.

One file holds one rule or several, as YAML documents. Every fault is reported with its line.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml

from bastion.engine.rules import DEFAULT_LANGUAGE, Action, RuleSpec, Severity, Views
from bastion.engine.validation import rule_faults
from bastion.engine.validators import Validator
from bastion.errors import FieldFault

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")

MAX_FILE_BYTES: Final = 4 * 1024 * 1024

_NULL: Final = "tag:yaml.org,2002:null"
_KNOWN: Final = {
    *("name", "details", "author", "severity", "date", "logsource", "detection", "references", "license", "uuid"),
    *("response", "tags", "falsepositives", "category", "cwe_id"),
    *("id", "description", "status", "level", "related", "modified"),
}
"""Keys of AIDR Bastion's files, ours, and those that Roota and Sigma have beside them."""

_DETECTION: Final = ("language", "pattern", "views", "validator")

_REQUIRED: Final = ("name", "details", "uuid", "detection")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something stands; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to tell about a file: a fault stops the import, a note does not."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class FiledRule:
    """A rule and where it was read."""

    spec: RuleSpec
    place: Place
    unknown_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Everything that was read from a set of files."""

    rules: tuple[FiledRule, ...]
    faults: tuple[Remark, ...]
    notes: tuple[Remark, ...]


class _FaultError(Exception):
    def __init__(self, node: yaml.Node | None, message: str) -> None:
        super().__init__(message)
        self.line = node.start_mark.line + 1 if node is not None else 1


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's name as the reader knows it, its bytes, and the category of rules that name none."""

    name: str
    content: bytes
    category: str | None = None


def read_rule_files(files: Iterable[SourceFile]) -> RuleFiles:
    """Reads every rule of every file. A uuid that different rules share is kept by the first of them."""
    rules: list[FiledRule] = []
    faults: list[Remark] = []
    notes: list[Remark] = []
    for file in files:
        for item in _read_file(file):
            if isinstance(item, Remark):
                faults.append(item)
            else:
                rules.append(item)
    notes += [
        Remark(rule.place, f"{rule.spec.name!r} has the key {key!r}, which means nothing here and is left out")
        for rule in rules
        for key in rule.unknown_keys
    ]
    distinct = list(_with_own_uuids(rules, notes))
    notes.extend(note for rule in distinct if (note := _beyond_ascii(rule)))
    return RuleFiles(tuple(distinct), tuple(faults), tuple(notes))


def _read_file(file: SourceFile) -> Iterator[FiledRule | Remark]:
    if len(file.content) > MAX_FILE_BYTES:
        yield Remark(Place(file.name, 1), f"has more than {MAX_FILE_BYTES} bytes")
        return
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        yield Remark(Place(file.name, line), f"is not UTF-8 (byte {error.start + 1})")
        return
    try:
        documents = [node for node in yaml.compose_all(text, Loader=_Loader) if not _is_empty(node)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        yield Remark(Place(file.name, mark.line + 1 if mark else 1), f"is not YAML: {error.problem or error.context}")
        return
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        yield Remark(Place(file.name, line), f"is not YAML: it has the character U+{_code(error.character):04X}")
        return
    except RecursionError:
        yield Remark(Place(file.name, 1), "is nested too deeply")
        return
    if not documents:
        yield Remark(Place(file.name, 1), "holds no rule")
    for document in documents:
        yield from _read_document(document, file)


def _code(character: int | str | bytes) -> int:
    return character if isinstance(character, int) else ord(character)


def _is_empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.value == "")


class _Loader(yaml.SafeLoader):
    """YAML without aliases: no rule needs them, and they can make a small file huge."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _read_document(document: yaml.Node, file: SourceFile) -> Iterator[FiledRule | Remark]:
    reader = _Reader()
    spec = reader.rule(document, file.category)
    faults = [Remark(Place(file.name, fault.line), str(fault)) for fault in reader.faults]
    if spec is not None:
        faults += [
            Remark(Place(file.name, reader.line_of(wrong, document)), f"{spec.name!r}: {wrong}")
            for wrong in rule_faults(spec)
            if wrong.field not in reader.unread
        ]
    if faults or spec is None:
        yield from sorted(faults, key=lambda fault: fault.place.line)
    else:
        yield FiledRule(spec, Place(file.name, document.start_mark.line + 1), tuple(reader.unknown_keys))


class _Reader:
    """Reads one document, goes on after a fault, and remembers where each field stood."""

    def __init__(self) -> None:
        self.faults: list[_FaultError] = []
        self.unread: set[str] = set()
        """Fields of ``RuleSpec`` that have a fault already, so that what stands for them says nothing."""
        self._nodes: dict[str, yaml.Node] = {}
        self._detection: dict[str, yaml.Node] = {}

    def line_of(self, wrong: FieldFault, document: yaml.Node) -> int:
        """The line of what is wrong with a field of ``RuleSpec``; of the very expression in a list of them."""
        key = "falsepositives" if wrong.field == "false_positives" else wrong.field
        place = self._detection if key in _DETECTION else self._nodes
        node = place.get(key, document)
        if key == "pattern" and isinstance(node, yaml.SequenceNode) and node.value:
            node = node.value[wrong.line - 1]
        return int(node.start_mark.line) + 1

    def rule(self, document: yaml.Node, category: str | None) -> RuleSpec | None:
        """The rule, as far as it can be read; ``None`` when not even that. ``faults`` says what is wrong."""
        self._nodes = self._try("", _mapping, document, "a rule") or {}
        if not self._nodes:
            return None
        if missing := [key for key in _REQUIRED if key not in self._nodes]:
            self.faults.append(_FaultError(document, f"lacks {', '.join(missing)}"))
            self.unread |= {*missing, "pattern"} if "detection" in missing else set(missing)
        if "detection" in self._nodes:
            self._detection = self._try("pattern", _mapping, self._nodes["detection"], "detection") or {}
            if self._detection and "pattern" not in self._detection:
                self.faults.append(_FaultError(self._nodes["detection"], "detection lacks pattern"))
                self.unread.add("pattern")
        return RuleSpec(
            uuid=self._try("uuid", _optional, self._nodes, "uuid", True) or "",
            name=self._try("name", _optional, self._nodes, "name", True) or "",
            details=self._try("details", _optional, self._nodes, "details", True) or "",
            language=self._try("language", _optional, self._detection, "language") or DEFAULT_LANGUAGE,
            pattern=self._try("pattern", _expressions, self._detection.get("pattern")) or "",
            views=self._try("views", _choice, self._detection.get("views"), "views", Views) or Views.ALL,
            validator=self._try("validator", _choice, self._detection.get("validator"), "validator", Validator),
            action=self._try("action", _choice, self._nodes.get("response"), "response", Action) or Action.NOTIFY,
            severity=self._try("severity", _choice, self._nodes.get("severity"), "severity", Severity),
            category=self._try("category", _optional, self._nodes, "category") or category,
            cwe_id=self._try("cwe_id", _optional, self._nodes, "cwe_id"),
            author=self._try("author", _optional, self._nodes, "author"),
            tags=self._try("tags", _texts, self._nodes.get("tags"), "tags") or (),
            references=self._try("references", _texts, self._nodes.get("references"), "references") or (),
            false_positives=self._try("false_positives", _texts, self._nodes.get("falsepositives"), "falsepositives")
            or (),
        )

    @property
    def unknown_keys(self) -> list[str]:
        """Keys that mean nothing here: a mistyped one would otherwise be lost without a word."""
        return [
            *(key for key in self._nodes if key not in _KNOWN),
            *(f"detection.{key}" for key in self._detection if key not in _DETECTION),
        ]

    def _try(self, field: str, convert: Callable[..., Value | None], *arguments: object) -> Value | None:
        try:
            return convert(*arguments)
        except _FaultError as fault:
            self.faults.append(fault)
            self.unread.add(field)
            return None


def _mapping(node: yaml.Node, what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _FaultError(node, f"{what} wants keys and values")
    entries: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = _text(key, "a key")
        if name in entries:
            raise _FaultError(key, f"{name} is given twice")
        entries[name] = value
    return entries


def _text(node: yaml.Node, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
        raise _FaultError(node, f"{what} wants a text")
    return str(node.value).strip()


def _optional(nodes: dict[str, yaml.Node], key: str, required: bool = False) -> str | None:
    node = nodes.get(key)
    if node is None or (node.tag == _NULL and not required):
        return None
    return _text(node, key) or None


def _texts(node: yaml.Node | None, what: str) -> tuple[str, ...]:
    if node is None or node.tag == _NULL:
        return ()
    if isinstance(node, yaml.ScalarNode):
        return (_text(node, what),)
    if not isinstance(node, yaml.SequenceNode):
        raise _FaultError(node, f"{what} wants a list of texts")
    return tuple(_text(item, f"each of {what}") for item in node.value)


def _expressions(node: yaml.Node | None) -> str:
    """The expressions, one a line."""
    if node is None:
        return ""
    expressions = []
    for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        if not isinstance(item, yaml.ScalarNode) or (item.tag == _NULL and item.value):
            raise _FaultError(item, "pattern wants a list of regular expressions")
        expression = str(item.value).rstrip("\n")
        if "\n" in expression:
            raise _FaultError(item, "a regular expression must be a single line: write \\n for a line feed")
        expressions.append(expression)
    return "\n".join(expressions)


def _choice(node: yaml.Node | None, what: str, kind: type[Choice]) -> Choice | None:
    if node is None or node.tag == _NULL:
        return None
    word = _text(node, what).lower()
    try:
        return kind(word)
    except ValueError:
        raise _FaultError(node, f"{what} wants one of {', '.join(kind)}, not {word!r}") from None


def _with_own_uuids(rules: Iterable[FiledRule], notes: list[Remark]) -> Iterator[FiledRule]:
    """The rules with a uuid each: a second rule under a uuid gets one made from the uuid and its name."""
    taken: dict[str, FiledRule] = {}
    for rule in rules:
        first = taken.get(rule.spec.uuid)
        if first is None:
            taken[rule.spec.uuid] = rule
            yield rule
            continue
        if replace(rule.spec, category=first.spec.category) == first.spec:
            notes.append(_same_note(rule, first))
            continue
        fresh = next(derived for derived in _derived_uuids(rule.spec) if not _is_taken(derived, rule, taken))
        own = FiledRule(replace(rule.spec, uuid=fresh), rule.place)
        if fresh in taken:
            notes.append(
                Remark(rule.place, f"{rule.spec.name!r} is the same as at {taken[fresh].place} and is left out")
            )
            continue
        taken[fresh] = own
        notes.append(
            Remark(
                rule.place,
                f"{rule.spec.name!r} has the uuid {rule.spec.uuid} of {first.spec.name!r} at {first.place}: "
                f"it is imported as {fresh}",
            )
        )
        yield own


def _beyond_ascii(rule: FiledRule) -> Remark | None:
    """Worth a note: AIDR Bastion's loader replaces such characters by spaces."""
    found = [field for field in ("name", "details", "pattern") if not str(getattr(rule.spec, field)).isascii()]
    if not found:
        return None
    where = ", ".join(found)
    return Remark(rule.place, f"{rule.spec.name!r} has non-ASCII characters in its {where}; they are kept as they are")


def _same_note(rule: FiledRule, first: FiledRule) -> Remark:
    return Remark(rule.place, f"{rule.spec.name!r} is the same as at {first.place} and is left out")


def _is_taken(uuid: str, rule: FiledRule, taken: dict[str, FiledRule]) -> bool:
    """Whether another rule has the uuid; the same rule under it is no other."""
    other = taken.get(uuid)
    return other is not None and other.spec != replace(rule.spec, uuid=uuid)


def _derived_uuids(spec: RuleSpec) -> Iterator[str]:
    """Made from what the rule says, so that importing a folder again changes nothing."""
    try:
        namespace = UUID(spec.uuid)
    except ValueError:
        namespace = uuid5(NAMESPACE_URL, spec.uuid)
    yield from (str(uuid5(namespace, text)) for text in (spec.name, f"{spec.name}\n{spec.pattern}", repr(spec)))
