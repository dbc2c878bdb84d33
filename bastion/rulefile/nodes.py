"""Nodes of a document into values; a fault says which node it is about."""

import json
from enum import StrEnum
from typing import Any, Final, TypeVar

import yaml

from bastion.engine.exceptions import RuleException
from bastion.engine.validation import UNSTORABLE
from bastion.rulefile.documents import NULL, VERBATIM

Choice = TypeVar("Choice", bound=StrEnum)

MAX_HISTORY: Final = 3_000_000
"""Characters of JSON of a rule's earlier versions: more than any rule keeps."""


class FaultError(Exception):
    """What is wrong with a node."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.position = position(node)


def position(node: yaml.Node) -> tuple[int, int]:
    """Line and column of a node, from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def is_null(node: yaml.Node | None) -> bool:
    """Whether there is no such node, or it says that there is nothing."""
    return node is None or node.tag == NULL


def mapping(node: yaml.Node, what: str) -> dict[str, yaml.Node]:
    """Keys and values."""
    if not isinstance(node, yaml.MappingNode):
        raise FaultError(node, f"{what} wants keys and values")
    entries: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = text(key, "a key")
        if name in entries:
            raise FaultError(key, f"{name} is given twice")
        entries[name] = value
    return entries


def text(node: yaml.Node, what: str) -> str:
    """A text without the blanks around it, unless it stands in double quotes."""
    if not isinstance(node, yaml.ScalarNode) or node.tag == NULL:
        raise FaultError(node, f"{what} wants a text")
    return str(node.value) if node.style == VERBATIM else str(node.value).strip()


def optional(nodes: dict[str, yaml.Node], key: str, required: bool = False) -> str | None:
    """The text under a key; ``None`` for none or an empty one."""
    node = nodes.get(key)
    if node is None or (node.tag == NULL and not required):
        return None
    return text(node, key) or None


def texts(node: yaml.Node | None, what: str) -> tuple[str, ...]:
    """A list of texts, or a single one."""
    if node is None or node.tag == NULL:
        return ()
    if isinstance(node, yaml.ScalarNode):
        return (text(node, what),)
    if not isinstance(node, yaml.SequenceNode):
        raise FaultError(node, f"{what} wants a list of texts")
    return tuple(text(item, f"each of {what}") for item in node.value)


def verbatim(node: yaml.Node | None, what: str) -> tuple[str, ...]:
    """A list of texts as they are, with the blanks around them."""
    if node is None or node.tag == NULL:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise FaultError(node, f"{what} wants a list of texts")
    for item in node.value:
        if not isinstance(item, yaml.ScalarNode) or item.tag == NULL:
            raise FaultError(item, f"each of {what} wants a text")
    return tuple(str(item.value) for item in node.value)


def expression_nodes(node: yaml.Node | None) -> list[yaml.Node]:
    """The nodes of the expressions."""
    if node is None:
        return []
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def expressions(node: yaml.Node | None) -> str:
    """The expressions, one a line."""
    found = []
    for item in expression_nodes(node):
        if not isinstance(item, yaml.ScalarNode) or (item.tag == NULL and item.value):
            raise FaultError(item, "pattern wants a list of regular expressions")
        expression = str(item.value).rstrip("\n")
        if "\n" in expression:
            raise FaultError(item, "a regular expression must be a single line: write \\n for a line feed")
        found.append(expression)
    return "\n".join(found)


def choice(node: yaml.Node | None, what: str, kind: type[Choice]) -> Choice | None:
    """One of the words of a kind, in any case."""
    if node is None or node.tag == NULL:
        return None
    word = text(node, what).strip().lower()
    try:
        return kind(word)
    except ValueError:
        raise FaultError(node, f"{what} wants one of {', '.join(kind)}, not {word!r}") from None


def exceptions(node: yaml.Node | None) -> tuple[RuleException, ...]:
    """A rule's exceptions, as the API gives them."""
    found = []
    for item in _items(node, "exceptions"):
        content = {"author": None, "until": None} | {
            key: None if is_null(value) else text(value, key) for key, value in mapping(item, "an exception").items()
        }
        try:
            found.append(RuleException.from_json(content))
        except ValueError as error:
            raise FaultError(item, f"exceptions: {error}") from None
    return tuple(found)


def history(node: yaml.Node | None) -> tuple[dict[str, Any], ...]:
    """A rule's versions as it keeps them."""
    entries = [_plain(item) for item in _items(node, "history")]
    if entries and node is not None:
        if not all(isinstance(one, dict) and type(one.get("version")) is int for one in entries):
            raise FaultError(node, "history wants a list of versions, each with its number")
        if not all(0 < one["version"] < 2**31 for one in entries):
            raise FaultError(node, "history has the number of a version that there cannot be")
        written = json.dumps(entries, ensure_ascii=False)
        if len(written) > MAX_HISTORY:
            raise FaultError(node, f"history has more than {MAX_HISTORY:,} characters")
        if UNSTORABLE.search(written) or "\\u0000" in written:
            raise FaultError(node, "history has a character that cannot be stored")
    return tuple(entries)


def _items(node: yaml.Node | None, what: str) -> list[yaml.Node]:
    if node is None or node.tag == NULL:
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise FaultError(node, f"{what} wants a list")
    return list(node.value)


def _plain(node: yaml.Node) -> Any:
    """What JSON would make of it; a date is the text that it is written as."""
    if isinstance(node, yaml.MappingNode):
        return {name: _plain(value) for name, value in mapping(node, "history").items()}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    written = str(node.value)
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return written.lower() in ("true", "yes", "on")
        case "int" if written.removeprefix("-").isdecimal() and len(written) < 20:
            return int(written)
    return written
