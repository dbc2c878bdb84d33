"""The people who may log in: ``accounts.json`` in the instance folder."""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict

from bastion.errors import Conflict, FieldFault, InvalidInput, NotFound
from bastion.services.instance_files import InstanceFile

MIN_PASSWORD: Final = 12
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")


class Role(StrEnum):
    """What an account may do: a viewer reads, an analyst edits rules and judges, an admin does everything."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. ``stamp`` changes with the password, so that older sessions end."""

    name: str
    role: Role
    stamp: str


class AccountEntry(BaseModel):
    """An account as the file holds it: ``password`` is an argon2id hash."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    password: str
    stamp: str
    disabled: bool = False


class Accounts:
    """The accounts file. Passwords are stored as argon2id hashes (RFC 9106)."""

    def __init__(self, instance: Path) -> None:
        self._file = InstanceFile(instance / "accounts.json", AccountEntry)
        self._hasher = PasswordHasher()
        self._decoy: str | None = None

    def any(self) -> bool:
        return bool(self._file.read())

    def get(self, name: str) -> Account | None:
        """The account, unless there is none of that name or it is disabled."""
        entry = self._file.read().get(name)
        return Account(name, entry.role, entry.stamp) if entry and not entry.disabled else None

    def log_in(self, name: str, password: str) -> Account | None:
        """The account if the password is right; as slow for an unknown name as for a wrong password."""
        entry = self._file.read().get(name)
        known = entry.password if entry else self._decoy_hash()
        try:
            self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return None
        return self.get(name) if entry else None

    def add(self, name: str, role: Role, password: str) -> None:
        """Raises ``InvalidInput`` for a bad name or a short password, ``Conflict`` for a name that is taken."""
        if not _NAME.fullmatch(name):
            raise InvalidInput([FieldFault("name", "wants letters, digits and . _ @ - (at most 100)")])
        fresh = AccountEntry(role=role, **self._credentials(password))

        def edit(accounts: dict[str, AccountEntry]) -> None:
            if name in accounts:
                raise Conflict(f"there is an account {name!r} already")
            accounts[name] = fresh

        self._file.change(edit)

    def set_password(self, name: str, password: str) -> None:
        """Ends every session of the account. Raises ``NotFound`` or ``InvalidInput``."""
        fresh = self._credentials(password)

        def edit(accounts: dict[str, AccountEntry]) -> None:
            if name not in accounts:
                raise NotFound(f"there is no account {name!r}")
            accounts[name] = accounts[name].model_copy(update=fresh)

        self._file.change(edit)

    def _credentials(self, password: str) -> dict[str, str]:
        if len(password) < MIN_PASSWORD:
            raise InvalidInput([FieldFault("password", f"wants at least {MIN_PASSWORD} characters")])
        return {"password": self._hasher.hash(password), "stamp": secrets.token_hex(8)}

    def _decoy_hash(self) -> str:
        if self._decoy is None:
            self._decoy = self._hasher.hash(secrets.token_hex(16))
        return self._decoy
