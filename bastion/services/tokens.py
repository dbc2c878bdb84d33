"""The programs that may call the API: ``tokens.json`` in the instance folder."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bastion.errors import Conflict, FieldFault, InvalidInput
from bastion.models import utc_now
from bastion.services.instance_files import InstanceFile

PREFIX: Final = "bastion_"


class Scope(StrEnum):
    """What a token may do: have texts judged, read what is stored, change rules."""

    ANALYZE = "analyze"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Token:
    """A caller of the API."""

    name: str
    scopes: frozenset[Scope]


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _not_a_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("wants a time such as 2027-01-31T12:00:00+00:00")
    return value


Moment = Annotated[datetime, BeforeValidator(_not_a_number), AfterValidator(_in_utc)]


class TokenEntry(BaseModel):
    """A token as the file holds it; times without a zone are UTC."""

    model_config = ConfigDict(extra="forbid")

    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment | None = None


class Tokens:
    """The tokens file. Only SHA-256 hashes are stored: a token is 256 random bits, so no slow hash is needed."""

    def __init__(self, instance: Path) -> None:
        self._file = InstanceFile(instance / "tokens.json", TokenEntry)

    def any(self) -> bool:
        return bool(self._file.read())

    def create(self, name: str, scopes: Iterable[Scope] = tuple(Scope)) -> str:
        """A new token in clear: it cannot be shown again.

        Raises:
            InvalidInput: for a name that is empty, too long or not printable.
            Conflict: for a name that is taken.
        """
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise InvalidInput([FieldFault("name", "wants 1 to 100 printable characters")])
        clear = PREFIX + secrets.token_urlsafe(32)

        entry = TokenEntry(hash=_hash(clear), scopes=sorted(scopes), created_at=utc_now().replace(microsecond=0))

        def edit(tokens: dict[str, TokenEntry]) -> None:
            if name in tokens:
                raise Conflict(f"there is a token {name!r} already")
            tokens[name] = entry

        self._file.change(edit)
        return clear

    def find(self, clear: str) -> Token | None:
        """The token, unless it is unknown or its time is over."""
        wanted = _hash(clear)
        for name, entry in self._file.read().items():
            if hmac.compare_digest(entry.hash, wanted):
                expired = entry.expires_at is not None and entry.expires_at <= utc_now()
                return None if expired else Token(name, frozenset(entry.scopes))
        return None


def _hash(clear: str) -> str:
    return hashlib.sha256(clear.encode("utf-8", "surrogatepass")).hexdigest()
