"""The people who may log in: ``accounts.json`` in the instance folder."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict

from bastion.errors import Conflict, FieldFault, InvalidInput, NotFound
from bastion.models import utc_now
from bastion.services.audit.log import Note, no_note
from bastion.services.instance_files import InstanceFile
from bastion.services.people.passwords import check_password

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")

# ASVS 5.0, appendix on cryptography: argon2id with at least 19 MiB and two passes. A worker whose threads all verify
# at once needs 19 MiB for each of them, so that a flood of logins cannot take its memory.
_PASSES: Final = 2
_KIBIBYTES: Final = 19 * 1024
_DECOY: Final = "$argon2id$v=19$m=19456,t=2,p=1$0TqXAOXgZIGtb1QRZL2VCA$8IOlyXQuhqQqWhZzlnOaAhUhyit+tWznaFiSV17thu4"
"""The hash of a random text that was thrown away: what an unknown name's password is compared with."""


class Role(StrEnum):
    """What an account may do: a viewer reads, an analyst edits rules and judges, an admin does everything."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


class Origin(StrEnum):
    """Who says that somebody is who they say: we by a password, an OpenID provider, or a proxy in front."""

    PASSWORD = "password"  # noqa: S105 (a word, not a password)
    OIDC = "oidc"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. ``stamp`` changes with the password, so that older sessions end."""

    name: str
    role: Role
    stamp: str
    must_change: bool = False


class AccountEntry(BaseModel):
    """An account as the file holds it. ``password`` is an argon2id hash, empty for who signs in elsewhere;
    ``subject`` is then how that provider names them, and ``issuer`` which OpenID provider it is: two may use one name.
    """

    model_config = ConfigDict(extra="forbid")

    role: Role
    password: str
    stamp: str
    disabled: bool = False
    must_change: bool = False
    origin: Origin = Origin.PASSWORD
    subject: str | None = None
    issuer: str | None = None
    created_at: datetime | None = None
    changed_at: datetime | None = None


class Accounts:
    """The accounts file. Passwords are stored as argon2id hashes (RFC 9106)."""

    def __init__(self, instance: Path, note: Note = no_note) -> None:
        self._file = InstanceFile(instance / "accounts.json", AccountEntry)
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_KIBIBYTES, parallelism=1)
        self._note = note

    def any(self) -> bool:
        return bool(self._file.read())

    def all(self) -> Mapping[str, AccountEntry]:
        """Every account by its name, in the order of names."""
        return dict(sorted(self._file.read().items()))

    def get(self, name: str) -> Account | None:
        """The account, unless there is none of that name or it is disabled."""
        entry = self._file.read().get(name)
        return _account(name, entry) if entry and not entry.disabled else None

    def log_in(self, name: str, password: str) -> Account | None:
        """The account if the password is right; as slow for an unknown name as for a wrong password."""
        entry = self._file.read().get(name)
        known = entry.password if entry and entry.password else _DECOY
        try:
            self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return None
        if entry is None or not entry.password:
            return None
        if not entry.disabled and self._hasher.check_needs_rehash(known):
            self._rehash(name, known, password)
        return self.get(name)

    def add(self, name: str, role: Role, password: str, *, must_change: bool = False) -> None:
        """Raises ``InvalidInput`` for a bad name or a weak password, ``Conflict`` for a name that is taken."""
        _check_name(name)
        fresh = AccountEntry(role=role, must_change=must_change, created_at=_now(), **self._credentials(name, password))

        def edit(accounts: dict[str, AccountEntry]) -> None:
            _check_free(name, accounts)
            accounts[name] = fresh

        self._file.change(edit)
        self._note("account.created", {"account": name}, after=_noted(fresh))

    def set_password(self, name: str, password: str, *, must_change: bool = False) -> None:
        """Ends every session of the account. Raises ``NotFound``, ``Conflict`` or ``InvalidInput``."""
        if self._entry(name).origin is not Origin.PASSWORD:
            raise Conflict(f"{name!r} signs in elsewhere and has no password here")
        fresh = {**self._credentials(name, password), "must_change": must_change}
        self._change("account.password_changed", name, lambda _: fresh)

    def set_role(self, name: str, role: Role) -> None:
        """Raises ``NotFound``; ``Conflict`` if nobody could manage accounts after it."""
        self._change("account.role_changed", name, lambda _: {"role": role})

    def disable(self, name: str) -> None:
        """Ends the account's sessions at their next request. Raises as ``set_role``."""
        self._change("account.disabled", name, lambda _: {"disabled": True, "stamp": _stamp()})

    def enable(self, name: str) -> None:
        """Lets a disabled account log in again. Raises ``NotFound``."""
        self._change("account.enabled", name, lambda _: {"disabled": False})

    def sign_in_elsewhere(
        self, origin: Origin, subject: str, name: str, role: Role, issuer: str | None = None
    ) -> Account | None:
        """The account of somebody whom another party has just vouched for, made or brought to ``role``.

        ``None`` when the account is disabled.

        Raises:
            InvalidInput: for a name that cannot be an account's.
            Conflict: when the name is somebody else's account.
        """
        vouched = (origin, issuer, subject)
        known = next((one for one, entry in self._file.read().items() if _vouched(entry) == vouched), None)
        if known is None:
            _check_name(name)
            self._make_elsewhere(origin, subject, name, role, issuer)
            known = name
        elif self._entry(known).role is not role:
            self._change("account.role_changed", known, lambda _: {"role": role}, keep_admin=False)
        return self.get(known)

    def _make_elsewhere(self, origin: Origin, subject: str, name: str, role: Role, issuer: str | None) -> None:
        fresh = AccountEntry(
            role=role,
            password="",
            stamp=_stamp(),
            origin=origin,
            subject=subject,
            issuer=issuer,
            created_at=_now(),
        )

        def edit(accounts: dict[str, AccountEntry]) -> None:
            # Another thread may have made it meanwhile.
            if name not in accounts or _vouched(accounts[name]) != _vouched(fresh):
                _check_free(name, accounts)
                accounts[name] = fresh

        self._file.change(edit)
        self._note("account.created", {"account": name}, after=_noted(fresh))

    def _change(
        self,
        action: str,
        name: str,
        changes: Callable[[AccountEntry], dict[str, Any]],
        *,
        keep_admin: bool = True,
    ) -> None:
        def edit(accounts: dict[str, AccountEntry]) -> tuple[AccountEntry, AccountEntry]:
            if name not in accounts:
                raise NotFound(f"there is no account {name!r}")
            before = accounts[name]
            accounts[name] = before.model_copy(update={**changes(before), "changed_at": _now()})
            if keep_admin and _manages(before) and not any(map(_manages, accounts.values())):
                raise Conflict(f"{name!r} is the last admin: make another one first")
            return before, accounts[name]

        before, after = self._file.change(edit)
        self._note(action, {"account": name}, before=_noted(before), after=_noted(after))

    def _entry(self, name: str) -> AccountEntry:
        entry = self._file.read().get(name)
        if entry is None:
            raise NotFound(f"there is no account {name!r}")
        return entry

    def _rehash(self, name: str, old: str, password: str) -> None:
        """Keeps a right password under today's parameters; sessions go on."""
        fresh = self._hasher.hash(password)

        def edit(accounts: dict[str, AccountEntry]) -> None:
            if name in accounts and accounts[name].password == old:
                accounts[name] = accounts[name].model_copy(update={"password": fresh})

        self._file.change(edit)

    def _credentials(self, name: str, password: str) -> dict[str, Any]:
        check_password(password, name)
        return {"password": self._hasher.hash(password), "stamp": _stamp(), "changed_at": _now()}


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput([FieldFault("name", "wants letters, digits and . _ @ - (at most 100)")])


def _check_free(name: str, accounts: Mapping[str, AccountEntry]) -> None:
    """Nobody may pass for somebody else by another spelling of the name."""
    taken = next((one for one in accounts if one.casefold() == name.casefold()), None)
    if taken is not None:
        raise Conflict(f"there is an account {taken!r} already")


def _account(name: str, entry: AccountEntry) -> Account:
    return Account(name, entry.role, entry.stamp, entry.must_change)


def _vouched(entry: AccountEntry) -> tuple[Origin, str | None, str | None]:
    """Who says that it is who: one provider's users are never another's."""
    return entry.origin, entry.issuer, entry.subject


def _manages(entry: AccountEntry) -> bool:
    return entry.role is Role.ADMIN and not entry.disabled


def _noted(entry: AccountEntry) -> dict[str, Any]:
    """What the audit log says of an account."""
    return {"role": entry.role.value, "disabled": entry.disabled, "origin": entry.origin.value}


def _stamp() -> str:
    return secrets.token_hex(8)


def _now() -> datetime:
    return utc_now().replace(microsecond=0)
