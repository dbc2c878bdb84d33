"""Who a proxy in front says is there: off unless a header and the addresses that may send it are named."""

import logging
from typing import Final

from flask import request

from bastion.errors import BastionError
from bastion.runtime import runtime
from bastion.security.addresses import is_in, peer
from bastion.security.groups import role_of
from bastion.services.people.accounts import Account, Origin

log = logging.getLogger(__name__)

MAX_HEADER: Final = 8000


def proxy_account() -> Account | None:
    """The account of the user whom the proxy names; their groups decide the role at each request."""
    settings = runtime().settings
    header = settings.bastion_proxy_user_header
    if header is None or not (name := request.headers.get(header, "")):
        return None
    if not is_in(peer(), settings.bastion_proxy_addresses):
        log.warning("%s came from %s, which is not in BASTION_PROXY_ADDRESSES: not believed", header, peer())
        return None
    groups_header = settings.bastion_proxy_groups_header
    sent = request.headers.get(groups_header, "")[:MAX_HEADER] if groups_header else ""
    role = role_of([group.strip() for group in sent.split(",") if group.strip()], settings)
    if role is None:
        log.warning("the proxy's user %r is in no group that has a role", name[:100])
        return None
    try:
        return runtime().accounts.sign_in_elsewhere(Origin.PROXY, name, name, role)
    except BastionError as error:
        log.warning("the proxy's user cannot come in: %s", error)
        return None
