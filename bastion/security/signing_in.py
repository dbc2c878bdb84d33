"""Names and passwords against guessing: limits first, then the answer, and both in the audit log."""

from bastion.runtime import runtime
from bastion.security.addresses import neighbourhood
from bastion.security.strangers import note_refused
from bastion.services.limits import LOGIN_FROM_ADDRESS, LOGIN_OF_ACCOUNT
from bastion.services.people.accounts import Account

_BY = (("address", LOGIN_FROM_ADDRESS), ("account", LOGIN_OF_ACCOUNT))
"""An address that may not try any more must not use up the tries of others at their accounts."""


def try_password(name: str, password: str) -> tuple[Account | None, int]:
    """The account if the password is right, and the seconds to wait if there were too many tries: then nothing is
    compared, whether or not there is such an account.
    """
    parts = runtime()
    keys = {"account": name.casefold(), "address": neighbourhood()}
    for kind, limit in _BY:
        if wait := parts.limits.take(f"login by {kind}", keys[kind], limit):
            note_refused("sign_in.limited", _named(name), detail={"by": kind})
            return None, wait
    account = parts.accounts.log_in(name, password)
    if account is None:
        parts.audit.note("sign_in.failed", _named(name))
        return None, 0
    for kind, limit in _BY:
        parts.limits.give_back(f"login by {kind}", keys[kind], limit)
    return account, 0


def _named(name: str) -> dict[str, str | None]:
    """The account only if there is one: people type their password into the wrong box."""
    return {"account": name if name in runtime().accounts.all() else None}
