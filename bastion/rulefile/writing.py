"""Rules into files: all that a rule says, in YAML or JSON Lines, so that reading it gives the same rule."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

import yaml

from bastion.engine.rules import Action, RuleSpec, Views
from bastion.rulefile.fields import Status

Document = dict[str, Any]

_RELATED: Final = re.compile(r"related\.(?P<type>[^.]+)\.(?P<id>.+)", re.DOTALL)


class Format(StrEnum):
    """How rules are written."""

    YAML = "yaml"
    JSONL = "jsonl"


def write_rules(rules: Iterable[tuple[RuleSpec, Sequence[Document]]], form: Format) -> Iterator[str]:
    """Rules with the versions to write of each, as pieces of one file."""
    return (write_rule(spec, form, history) for spec, history in rules)


def write_rule(spec: RuleSpec, form: Format, history: Sequence[Document] = ()) -> str:
    """One rule: a document of YAML, or a line of JSON Lines."""
    content = document_of(spec) | ({"history": list(history)} if history else {})
    if form is Format.JSONL:
        # In ASCII, so that whatever a text holds has one spelling in every reader.
        return json.dumps(content) + "\n"
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NO_FOLDING, explicit_start=True
    )


def document_of(spec: RuleSpec) -> Document:
    """The rule under the keys of a file. Samples, exceptions and category are said also where there are none, since a
    file that does not speak of them leaves them as they are.
    """
    detection: Document = {"language": spec.language, "pattern": spec.pattern.split("\n")}
    if spec.views is not Views.ALL:
        detection["views"] = spec.views.value
    if spec.validator is not None:
        detection["validator"] = spec.validator.value
    tags, related = _apart(spec.tags)
    content: Document = {
        "name": spec.name,
        "details": spec.details,
        "author": spec.author,
        "severity": spec.severity.value if spec.severity else None,
        "status": status_of(spec).value,
        "cwe_id": spec.cwe_id,
        "detection": detection,
        "references": list(spec.references),
        "tags": tags,
        "related": related,
        "falsepositives": list(spec.false_positives),
        "uuid": spec.uuid,
        "response": spec.action.value,
    }
    return {key: value for key, value in content.items() if value} | {
        "category": spec.category,
        "samples": {"must_match": list(spec.must_match), "must_not_match": list(spec.must_not_match)},
        "exceptions": [one.as_json() for one in spec.exceptions],
    }


def _apart(tags: Sequence[str]) -> tuple[list[str], list[Document]]:
    """The tags, and those at their end that say what rules a rule is related to as Sigma says it."""
    kept = list(tags)
    related: list[Document] = []
    while kept and (found := _RELATED.fullmatch(kept[-1])) and tags.count(kept[-1]) == 1:
        related.insert(0, {"id": found["id"], "type": found["type"]})
        kept.pop()
    return kept, related


def status_of(spec: RuleSpec) -> Status:
    """How far a rule is rolled out."""
    if not spec.enabled:
        return Status.DRAFT
    return Status.ENFORCE if spec.action is Action.BLOCK else Status.MONITOR


_NO_FOLDING = float("inf")


class _Dumper(yaml.SafeDumper):
    """YAML that says every text as it is: in double quotes what a reader would trim or could not tell apart."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # Lists stand in from their key, as in the files that ship.
        del indentless
        super().increase_indent(flow, False)

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = value == value.strip() and value.replace("\n", "").isprintable()
    style = None if plain and "\n" not in value else "|" if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
