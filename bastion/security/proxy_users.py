"""Who a proxy in front says is there: off unless a header and the addresses that may send it are named."""

import logging
from typing import Final

from flask import request

from bastion.errors import BastionError, DatabaseUnavailable
from bastion.runtime import runtime
from bastion.security.addresses import is_in, peer
from bastion.security.groups import role_of
from bastion.security.strangers import note_refused
from bastion.services.limits import Limit
from bastion.services.people.accounts import Account, Origin

log = logging.getLogger(__name__)

MAX_HEADER: Final = 8000

SIGN_IN_NOTED: Final = Limit(burst=1, seconds=3600)


def proxy_account() -> Account | None:
    """The account of the user whom the proxy names; their groups decide the role at each request."""
    settings = runtime().settings
    header = settings.bastion_proxy_user_header
    if header is None or not (name := request.headers.get(header, "")):
        return None
    if not is_in(peer(), settings.bastion_proxy_addresses):
        return _nobody(f"{header} came from {peer()}, which is not in BASTION_PROXY_ADDRESSES: not believed")
    groups_header = settings.bastion_proxy_groups_header
    sent = request.headers.get(groups_header, "")[:MAX_HEADER] if groups_header else ""
    role = role_of([group.strip() for group in sent.split(",") if group.strip()], settings)
    if role is None:
        return _nobody(f"the proxy's user {name[:100]!r} is in no group that has a role")
    try:
        account = runtime().accounts.sign_in_elsewhere(Origin.PROXY, name, name, role)
    except BastionError as error:
        return _nobody(f"the proxy's user cannot come in: {error}")
    if account is None:
        return _nobody(f"the account of the proxy's user {name[:100]!r} is disabled")
    _note_sign_in(account)
    return account


def _nobody(why: str) -> Account | None:
    log.warning("%s", why)
    note_refused("sign_in.failed", {"account": None}, detail={"by": "proxy", "why": why})
    return None


def _note_sign_in(account: Account) -> None:
    """There is no session that begins: once an hour in which the proxy sends the user."""
    try:
        if not runtime().limits.take("noted sign-in", account.name, SIGN_IN_NOTED):
            runtime().audit.note(
                "sign_in", {"account": account.name, "role": account.role.value}, detail={"by": "proxy"}
            )
    except DatabaseUnavailable as error:
        log.error("a sign-in by the proxy is not noted: %s", error)
