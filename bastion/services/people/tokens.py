"""The programs that may call the API: ``tokens.json`` in the instance folder."""

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bastion.errors import BastionError, Conflict, FieldFault, InvalidInput, NotFound
from bastion.models import utc_now
from bastion.services.audit.log import Note, no_note
from bastion.services.instance_files import InstanceFile
from bastion.services.shared_state import SharedState

log = logging.getLogger(__name__)

PREFIX: Final = "bastion_"

USE_SECONDS: Final = 60
"""How often a process writes down that a token is in use."""

_TIME: Final = re.compile(r"([0-9]{1,5})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Scope(StrEnum):
    """What a token may do: have texts judged, read what is stored, change rules, read the metrics."""

    ANALYZE = "analyze"
    READ = "read"
    WRITE = "write"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Token:
    """A caller of the API. With a ``source``, all events of its texts name that."""

    name: str
    scopes: frozenset[Scope]
    source: str | None = None


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
    source: str | None = None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= utc_now()


class Tokens:
    """The tokens file. Only SHA-256 hashes are stored: a token is 256 random bits, so no slow hash is needed.

    When a token was last used is kept beside it, in ``state``, so that requests do not write the file.
    """

    def __init__(self, instance: Path, note: Note = no_note, state: SharedState | None = None) -> None:
        self._file = InstanceFile(instance / "tokens.json", TokenEntry)
        self._note = note
        self._state = state
        self._noted_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def any(self) -> bool:
        return bool(self._file.read())

    def all(self) -> Mapping[str, TokenEntry]:
        """Every token by its name, in the order of names; those whose time is over too."""
        return dict(sorted(self._file.read().items()))

    def create(
        self,
        name: str,
        scopes: Iterable[Scope] = tuple(Scope),
        *,
        source: str | None = None,
        lifetime: timedelta | None = None,
    ) -> str:
        """A new token in clear: it cannot be shown again.

        Raises:
            InvalidInput: for a name or source that is empty, too long or not printable.
            Conflict: for a name that is taken.
        """
        for field, value in (("name", name), ("source", source)):
            if value is not None and (not value.strip() or len(value) > 100 or not value.isprintable()):
                raise InvalidInput([FieldFault(field, "wants 1 to 100 printable characters")])
        clear = PREFIX + secrets.token_urlsafe(32)
        now = utc_now().replace(microsecond=0)
        entry = TokenEntry(
            hash=_hash(clear),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=now + lifetime if lifetime else None,
            source=source,
        )

        def edit(tokens: dict[str, TokenEntry]) -> None:
            if name in tokens:
                raise Conflict(f"there is a token {name!r} already")
            tokens[name] = entry

        self._file.change(edit)
        self._note("token.created", {"token": name}, after=_noted(entry))
        return clear

    def revoke(self, name: str) -> None:
        """Ends a token at once, for every worker: each looks at the file at each request. Raises ``NotFound``."""

        def edit(tokens: dict[str, TokenEntry]) -> TokenEntry:
            if name not in tokens:
                raise NotFound(f"there is no token {name!r}")
            return tokens.pop(name)

        entry = self._file.change(edit)
        self._note("token.revoked", {"token": name}, before=_noted(entry))
        if self._state:
            try:
                self._state.run("DELETE FROM token_use WHERE name = ?", (name,))
            except BastionError as error:
                log.error("the last use of the token %r is not forgotten: %s", name, error)

    def find(self, clear: str) -> Token | None:
        """The token, unless it is unknown or its time is over."""
        wanted = _hash(clear)
        found = None
        # To the end, so that the time says nothing of which one it was.
        for name, entry in self._file.read().items():
            if hmac.compare_digest(entry.hash, wanted):
                found = name, entry
        if found is None or found[1].expired:
            return None
        name, entry = found
        self._note_use(name)
        return Token(name, frozenset(entry.scopes), entry.source)

    def last_used(self) -> Mapping[str, datetime]:
        """When each token was last used, to the minute."""
        rows = self._state.run("SELECT name, used_at FROM token_use") if self._state else []
        return {name: datetime.fromtimestamp(used_at, UTC) for name, used_at in rows}

    def _note_use(self, name: str) -> None:
        now = time.time()
        if self._state is None or now - self._noted_at.get(name, 0) < USE_SECONDS:
            return
        with self._lock:
            self._noted_at[name] = now
        try:
            self._state.run(
                "INSERT INTO token_use VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET used_at = max(used_at, ?2)",
                (name, now),
            )
        except BastionError as error:
            # No text goes unjudged for want of a date.
            log.error("the last use of the token %r is not noted: %s", name, error)


def lifetime_of(text: str) -> timedelta:
    """A time such as 90d, 12h or 30m; raises ``InvalidInput``."""
    found = _TIME.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise InvalidInput([FieldFault("expires", f"wants a number of m, h, d or w, such as 90d, not {text!r}")])
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _noted(entry: TokenEntry) -> dict[str, object]:
    """What the audit log says of a token."""
    expires = entry.expires_at.isoformat() if entry.expires_at else None
    return {"scopes": [scope.value for scope in entry.scopes], "source": entry.source, "expires_at": expires}


def _hash(clear: str) -> str:
    return hashlib.sha256(clear.encode("utf-8", "surrogatepass")).hexdigest()
