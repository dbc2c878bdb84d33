"""One document into a rule: every field of it, and every fault with its place."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeVar

import yaml

from bastion.engine.rules import DEFAULT_LANGUAGE, Action, RuleSpec, Severity, Views
from bastion.engine.validation import rule_faults
from bastion.engine.validators import Validator
from bastion.errors import FieldFault
from bastion.rulefile import nodes
from bastion.rulefile.nodes import FaultError, position
from bastion.rulefile.places import FiledRule, Place, Remark, SourceFile

Value = TypeVar("Value")

SIGMA_STATUS: Final = frozenset({"stable", "test", "experimental", "deprecated", "unsupported"})

_KNOWN: Final = {
    *("name", "details", "author", "severity", "date", "logsource", "detection", "references", "license", "uuid"),
    *("response", "tags", "falsepositives", "category", "cwe_id"),
    *("id", "description", "status", "level", "related", "modified", "samples", "exceptions", "history"),
}
"""Keys of AIDR Bastion's files, ours, and those that Roota and Sigma have beside them."""

_DETECTION: Final = ("language", "pattern", "views", "validator")
_SAMPLES: Final = ("must_match", "must_not_match")
_REQUIRED: Final = ("name", "details", "uuid", "detection")


class Status(StrEnum):
    """How far a rule is rolled out: disabled, notifying, blocking."""

    DRAFT = "draft"
    MONITOR = "monitor"
    ENFORCE = "enforce"


_ACTIONS: Final = {Status.MONITOR: Action.NOTIFY, Status.ENFORCE: Action.BLOCK}


def read_document(document: yaml.Node, file: SourceFile) -> list[FiledRule | Remark]:
    """The rule of a document, or everything that is wrong with it, in the order of its lines."""
    reader = _Reader()
    spec = reader.rule(document, file.category)
    faults = [Remark(Place(file.name, *fault.position), str(fault)) for fault in reader.faults]
    if spec is not None:
        faults += [
            Remark(Place(file.name, *reader.position_of(wrong, document)), f"{spec.name!r}: {wrong}")
            for wrong in rule_faults(spec)
            if wrong.field not in reader.unread
        ]
    if faults or spec is None:
        return [*sorted(faults, key=lambda fault: (fault.place.line, fault.place.column))]
    return [
        FiledRule(
            spec,
            Place(file.name, *position(document)),
            tuple(reader.unknown_keys),
            frozenset(reader.unsaid),
            tuple(Place(file.name, *position(node)) for node in reader.expressions),
            reader.history,
        )
    ]


class _Reader:
    """Reads one document, goes on after a fault, and remembers where each field stood."""

    def __init__(self) -> None:
        self.faults: list[FaultError] = []
        self.unread: set[str] = set()
        """Fields of ``RuleSpec`` that have a fault already, so that what stands for them says nothing."""
        self.unsaid: set[str] = set()
        self.history: tuple[dict[str, Any], ...] = ()
        self._nodes: dict[str, yaml.Node] = {}
        self._detection: dict[str, yaml.Node] = {}
        self._samples: dict[str, yaml.Node] = {}
        self._meaningless: list[str] = []

    @property
    def expressions(self) -> list[yaml.Node]:
        return nodes.expression_nodes(self._detection.get("pattern"))

    def position_of(self, wrong: FieldFault, document: yaml.Node) -> tuple[int, int]:
        """Line and column of what is wrong with a field; of the very expression in a list of them."""
        key = "falsepositives" if wrong.field == "false_positives" else wrong.field
        if key.startswith("samples."):
            return position(self._samples.get(key.removeprefix("samples."), document))
        place = self._detection if key in _DETECTION else self._nodes
        node = place.get(key, document)
        if key == "pattern" and isinstance(node, yaml.SequenceNode) and node.value:
            node = node.value[wrong.line - 1]
        return position(node)

    def rule(self, document: yaml.Node, category: str | None) -> RuleSpec | None:
        """The rule, as far as it can be read; ``None`` when not even that. ``faults`` says what is wrong."""
        entries = self._try("", nodes.mapping, document, "a rule")
        if entries is None:
            return None
        self._nodes = entries
        if missing := [key for key in _REQUIRED if key not in self._nodes]:
            self.faults.append(FaultError(document, f"lacks {', '.join(missing)}"))
            self.unread |= {*missing, "pattern"} if "detection" in missing else set(missing)
        if "detection" in self._nodes:
            self._detection = self._try("pattern", nodes.mapping, self._nodes["detection"], "detection") or {}
            if self._detection and "pattern" not in self._detection:
                self.faults.append(FaultError(self._nodes["detection"], "detection lacks pattern"))
                self.unread.add("pattern")
        if not nodes.is_null(self._nodes.get("samples")):
            self._samples = self._try("samples", nodes.mapping, self._nodes["samples"], "samples") or {}
        self.unsaid |= {name for name in _SAMPLES if name not in self._samples}
        self.unsaid |= {name for name in ("category", "exceptions") if name not in self._nodes}
        self.history = self._try("history", nodes.history, self._nodes.get("history")) or ()
        action, enabled = self._rollout()
        return RuleSpec(
            uuid=self._try("uuid", nodes.optional, self._nodes, "uuid", True) or "",
            name=self._try("name", nodes.optional, self._nodes, "name", True) or "",
            details=self._try("details", nodes.optional, self._nodes, "details", True) or "",
            language=self._try("language", nodes.optional, self._detection, "language") or DEFAULT_LANGUAGE,
            pattern=self._try("pattern", nodes.expressions, self._detection.get("pattern")) or "",
            views=self._try("views", nodes.choice, self._detection.get("views"), "views", Views) or Views.ALL,
            validator=self._try("validator", nodes.choice, self._detection.get("validator"), "validator", Validator),
            action=action,
            severity=self._try("severity", nodes.choice, self._nodes.get("severity"), "severity", Severity)
            or self._level(),
            category=self._try("category", nodes.optional, self._nodes, "category") or category,
            cwe_id=self._try("cwe_id", nodes.optional, self._nodes, "cwe_id"),
            enabled=enabled,
            author=self._try("author", nodes.optional, self._nodes, "author"),
            tags=self._tags(),
            references=self._try("references", nodes.texts, self._nodes.get("references"), "references") or (),
            false_positives=self._try(
                "false_positives", nodes.texts, self._nodes.get("falsepositives"), "falsepositives"
            )
            or (),
            exceptions=self._try("exceptions", nodes.exceptions, self._nodes.get("exceptions")) or (),
            must_match=self._kept("must_match"),
            must_not_match=self._kept("must_not_match"),
        )

    def _kept(self, kind: str) -> tuple[str, ...]:
        return self._try(f"samples.{kind}", nodes.verbatim, self._samples.get(kind), kind) or ()

    def _rollout(self) -> tuple[Action, bool]:
        """What the rule does, and whether it runs. A status of ours says so too; Sigma's says how ripe a rule is."""
        response = self._try("action", nodes.choice, self._nodes.get("response"), "response", Action)
        word = self._word("status")
        if word not in set(Status):
            self.unsaid.add("enabled")
            if word and word not in SIGMA_STATUS:
                self._meaningless.append("status")
            return response or Action.NOTIFY, True
        status = Status(word)
        meant = _ACTIONS.get(status, response or Action.NOTIFY)
        if response not in (None, meant):
            self.faults.append(
                FaultError(self._nodes["status"], f"status {status} does not go with response {response}")
            )
        return meant, status is not Status.DRAFT

    def _level(self) -> Severity | None:
        """Sigma's word for the severity."""
        word = self._word("level")
        if word in set(Severity):
            return Severity(word)
        if word:
            self._meaningless.append("level")
        return None

    def _tags(self) -> tuple[str, ...]:
        """The tags, and as tags what Sigma says of the rule's ripeness and of rules that it is related to."""
        tags = self._try("tags", nodes.texts, self._nodes.get("tags"), "tags") or ()
        word = self._word("status")
        more = [f"status.{word}"] if word in SIGMA_STATUS else []
        related = self._nodes.get("related")
        for item in related.value if isinstance(related, yaml.SequenceNode) else ():
            try:
                entry = nodes.mapping(item, "related")
                kind, uuid = (nodes.optional(entry, key) for key in ("type", "id"))
            except FaultError:
                kind = uuid = None
            if kind and uuid:
                more.append(f"related.{kind}.{uuid}")
            elif "related" not in self._meaningless:
                self._meaningless.append("related")
        return (*tags, *(tag for tag in more if tag not in tags))

    def _word(self, key: str) -> str:
        node = self._nodes.get(key)
        return node.value.strip().lower() if isinstance(node, yaml.ScalarNode) and not nodes.is_null(node) else ""

    @property
    def unknown_keys(self) -> list[str]:
        """Keys that mean nothing here: a mistyped one would otherwise be lost without a word."""
        return [
            *(key for key in self._nodes if key not in _KNOWN or key in self._meaningless),
            *(f"detection.{key}" for key in self._detection if key not in _DETECTION),
            *(f"samples.{key}" for key in self._samples if key not in _SAMPLES),
        ]

    def _try(self, field: str, convert: Callable[..., Value | None], *arguments: object) -> Value | None:
        try:
            return convert(*arguments)
        except FaultError as fault:
            self.faults.append(fault)
            self.unread.add(field)
            return None
