"""Files into documents: YAML, or JSON Lines as if it were YAML, so that one reader serves both."""

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from bastion.rulefile.places import Place, Remark, SourceFile

JSON_LINES: Final = ".jsonl"

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""Of a YAML file, which takes seconds a megabyte to read."""

MAX_LINES_BYTES: Final = 64 * 1024 * 1024
"""Of a JSON Lines file."""

NULL: Final = "tag:yaml.org,2002:null"
_TEXT: Final = "tag:yaml.org,2002:str"
_BOOL: Final = "tag:yaml.org,2002:bool"
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"

VERBATIM: Final = '"'
"""The style of a text that is taken as it is, blanks at its ends included."""


def documents(file: SourceFile) -> Iterator[yaml.Node | Remark]:
    """The documents of a file, or what is wrong with it."""
    lines = file.name.lower().endswith(JSON_LINES)
    text = text_of(file, MAX_LINES_BYTES if lines else MAX_FILE_BYTES)
    if isinstance(text, Remark):
        yield text
        return
    empty = True
    for document in _json_lines(text, file.name) if lines else _yaml(text, file.name):
        empty = False
        yield document
    if empty:
        yield Remark(Place(file.name, 1), "holds no rule")


def text_of(file: SourceFile, limit: int = MAX_FILE_BYTES) -> str | Remark:
    """What a file of at most so many bytes says, or why that cannot be read."""
    if len(file.content) > limit:
        return Remark(Place(file.name, 1), f"has more than {limit} bytes")
    try:
        return file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        return Remark(Place(file.name, line), f"is not UTF-8 (byte {error.start + 1})")


def _yaml(text: str, name: str) -> list[yaml.Node | Remark]:
    try:
        return [node for node in yaml.compose_all(text, Loader=_Loader) if not _is_empty(node)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1)
        return [Remark(place, f"is not YAML: {error.problem or error.context}")]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return [Remark(Place(name, line), f"is not YAML: it has the character U+{_code(error.character):04X}")]
    except RecursionError:
        return [Remark(Place(name, 1), "is nested too deeply")]


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


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON, with keys that it gives twice."""


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_Pairs)


def _json_lines(text: str, name: str) -> Iterator[yaml.Node | Remark]:
    # Only a line feed ends a line: JSON may have other separators in its texts.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = Place(name, number)
        try:
            yield _node(_DECODER.decode(line), number - 1)
        except json.JSONDecodeError as error:
            yield Remark(Place(name, number, error.colno), f"is not JSON: {error.msg}")
        except RecursionError:
            yield Remark(place, "is nested too deeply")
        except ValueError as error:
            yield Remark(place, f"has a number that cannot be read: {error}")


def _node(value: Any, line: int) -> yaml.Node:
    mark = yaml.Mark("", 0, line, 0, None, 0)
    match value:
        case _Pairs():
            pairs = [(_node(key, line), _node(one, line)) for key, one in value]
            return yaml.MappingNode("tag:yaml.org,2002:map", pairs, mark, mark)
        case list():
            return yaml.SequenceNode("tag:yaml.org,2002:seq", [_node(one, line) for one in value], mark, mark)
        case str():
            return yaml.ScalarNode(_TEXT, value, mark, mark, style=VERBATIM)
        case None:
            return yaml.ScalarNode(NULL, "null", mark, mark)
        case bool():
            return yaml.ScalarNode(_BOOL, "true" if value else "false", mark, mark)
    return yaml.ScalarNode(_INT if isinstance(value, int) else _FLOAT, str(value), mark, mark)
