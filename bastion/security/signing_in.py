"""Names and passwords against guessing: limits first, then the answer, and both in the audit log."""

from bastion.runtime import runtime
from bastion.security.addresses import neighbourhood
from bastion.services.limits import LOGIN_FROM_ADDRESS, LOGIN_OF_ACCOUNT
from bastion.services.people.accounts import Account

_BY = (("account", LOGIN_OF_ACCOUNT), ("address", LOGIN_FROM_ADDRESS))


def try_password(name: str, password: str) -> tuple[Account | None, int]:
    """The account if the password is right, and the seconds to wait if there were too many tries: then nothing is
    compared, whether or not there is such an account.
    """
    parts = runtime()
    keys = {"account": name, "address": neighbourhood()}
    for kind, limit in _BY:
        if wait := parts.limits.take(f"login by {kind}", keys[kind], limit):
            _note_failure("sign_in.limited", name, by=kind)
            return None, wait
    account = parts.accounts.log_in(name, password)
    if account is None:
        _note_failure("sign_in.failed", name)
        return None, 0
    for kind, limit in _BY:
        parts.limits.give_back(f"login by {kind}", keys[kind], limit)
    return account, 0


def _note_failure(action: str, name: str, **detail: str) -> None:
    """Names the account only if there is one: people type their password into the wrong box."""
    known = name in runtime().accounts.all()
    runtime().audit.note(action, {"account": name} if known else {"account": None}, detail=detail or None)
