"""What can go wrong in a way that somebody outside must be told.

Each kind carries its HTTP status; each surface (pages, API) turns errors into its answer in one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One thing wrong with one field; ``message`` says what the field wants, ``line`` where in its text, from 1."""

    field: str
    message: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class BastionError(Exception):
    """The base of every error that Bastion raises on purpose. ``word`` names the kind for programs."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    word: ClassVar[str] = "internal"


class NotFound(BastionError):
    """What was asked for is not there."""

    status = HTTPStatus.NOT_FOUND
    word = "not_found"


class Conflict(BastionError):
    """The change collides with what is stored: a duplicate, or somebody else's newer version."""

    status = HTTPStatus.CONFLICT
    word = "conflict"


class InvalidInput(BastionError):
    """Input that cannot be accepted; ``faults`` has one entry for each thing that is wrong."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    word = "invalid"

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


class InvalidRule(InvalidInput):
    """A rule that must not be saved."""


class ForeignSource(InvalidInput):
    """A caller that may speak for one application alone has named another."""

    status = HTTPStatus.FORBIDDEN
    word = "foreign_source"


class TooLarge(BastionError):
    """More text than Bastion takes in one piece."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    word = "too_large"


class FlowUnavailable(BastionError):
    """The flow exists, but none of its pipelines runs here."""

    status = HTTPStatus.CONFLICT
    word = "flow_unavailable"


class NotRecorded(BastionError):
    """The database could not take an event, so its verdict must not be answered."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    word = "not_recorded"


class RulesUnavailable(BastionError):
    """The stored rules could not be read yet, so no text can be judged."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    word = "rules_unavailable"


class CheckUnavailable(BastionError):
    """A rule cannot be checked at the moment, so it cannot be saved."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    word = "check_unavailable"


class DatabaseUnavailable(BastionError):
    """The database cannot be reached, or is busy for longer than a request may wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    word = "database_unavailable"


class SettingsError(BastionError):
    """A setting has a value that Bastion cannot start with; the message names the variable."""


class SchemaError(BastionError):
    """The database's schema is not the one this code needs."""


class SchemaUnknown(SchemaError):
    """The database cannot be asked what schema it has."""
