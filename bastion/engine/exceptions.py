"""What a rule is told to let pass, as a value. ``engine.excepting`` says what that means for a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

MAX_EXCEPTIONS: Final = 50
"""Of one rule."""

MAX_VALUE: Final = 4_000
"""Code points of an expression or a text; a longer text is named by its hash."""

MAX_NAME: Final = 100
"""Code points of a source or a flow."""

MAX_REASON: Final = 500

SHA256: Final = "sha256:"
"""In front of the hash of a text, which stands for the text."""


class ExceptionKind(StrEnum):
    """What an exception looks at."""

    REGEX = "regex"
    """Matches that lie within what an expression matches in the text as sent."""
    TEXT = "text"
    """The whole text, or its hash."""
    SOURCE = "source"
    """The calling application."""
    FLOW = "flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleException:
    """Something that does not trigger a rule although it matches.

    ``id`` names it within its rule. It holds up to ``until``, exclusive; ``None`` is for good.
    """

    id: str
    kind: ExceptionKind
    value: str
    reason: str
    created_at: datetime
    author: str | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.until is None or at < self.until

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind.value,
            "value": self.value,
            "reason": self.reason,
            "author": self.author,
            "created_at": self.created_at.isoformat(),
            "until": self.until.isoformat() if self.until else None,
        }

    @classmethod
    def from_json(cls, stored: Any) -> "RuleException":
        """What ``as_json`` gave. Raises ``ValueError`` for anything else."""
        try:
            author, until = stored["author"], stored["until"]
            read = cls(
                id=stored["id"],
                kind=ExceptionKind(stored["kind"]),
                value=stored["value"],
                reason=stored["reason"],
                author=author,
                created_at=datetime.fromisoformat(stored["created_at"]),
                until=None if until is None else datetime.fromisoformat(until),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"is not an exception: {error}") from None
        texts = (read.id, read.value, read.reason, "" if author is None else author)
        moments = (read.created_at, read.until or read.created_at)
        if not all(isinstance(text, str) for text in texts) or any(moment.tzinfo is None for moment in moments):
            raise ValueError("is not an exception: wants texts, and times with a zone")
        return read


def read_exceptions(stored: Any) -> tuple[RuleException, ...]:
    """The exceptions of a rule as they are stored. One that cannot be read excepts nothing and is left out."""
    return tuple(_readable(stored)) if isinstance(stored, list) else ()


def _readable(stored: list[Any]) -> Iterator[RuleException]:
    for one in stored:
        try:
            yield RuleException.from_json(one)
        except ValueError:
            continue
