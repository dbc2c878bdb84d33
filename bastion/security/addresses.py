"""Where a request comes from, when proxies stand in front."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

_IPV6_SITE: Final = 64
"""One customer of a provider has at least this network: single IPv6 addresses are free."""


def trust_proxies(app: Flask, proxies: int) -> None:
    """Believes what that many proxies in front say of the client's address and scheme, and nobody else."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]


def address() -> str | None:
    """The client's address, as far as proxies are to be believed."""
    return request.remote_addr


def neighbourhood() -> str:
    """What limits count by: the address, or its /64 network for IPv6."""
    given = request.remote_addr or ""
    try:
        parsed = ip_address(given)
    except ValueError:
        return given
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Network((parsed, _IPV6_SITE), strict=False))
    return given


def peer() -> str | None:
    """Who has connected to us: the nearest proxy, or the client itself."""
    before: dict[str, str] | None = request.environ.get("werkzeug.proxy_fix.orig")
    return before["REMOTE_ADDR"] if before else request.remote_addr


def is_in(given: str | None, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether the address is in one of the networks; an IPv4 address written as an IPv6 one is that IPv4 address."""
    try:
        parsed = ip_address(given or "")
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed.version == network.version and parsed in network for network in networks)
