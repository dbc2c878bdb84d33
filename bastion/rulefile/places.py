"""Where in rule files something stands, and what there is to tell about it."""

from dataclasses import dataclass, field
from typing import Any

from bastion.engine.rules import RuleSpec


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int = field(default=1, compare=False)

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
    """A rule and where it was read.

    ``unsaid`` are the fields of which the file says nothing, ``expressions`` the places of the pattern's lines,
    ``history`` the earlier versions if the file has them, ``notes`` what there is to tell about how it was read.
    """

    spec: RuleSpec
    place: Place
    unknown_keys: tuple[str, ...] = ()
    unsaid: frozenset[str] = frozenset()
    expressions: tuple[Place, ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Everything that was read from a set of files."""

    rules: tuple[FiledRule, ...]
    faults: tuple[Remark, ...]
    notes: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's name as the reader knows it, its bytes, and the category of rules that name none."""

    name: str
    content: bytes
    category: str | None = None
