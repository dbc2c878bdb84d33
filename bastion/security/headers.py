"""What every answer tells the browser."""

from typing import Final

from flask import Flask, request
from werkzeug.wrappers import Response

_ALWAYS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STRICT_TRANSPORT: Final = "max-age=31536000; includeSubDomains"


def add_headers(app: Flask) -> None:
    app.after_request(_told)


def _told(response: Response) -> Response:
    _lead_to_a_path(response)
    given = {name.lower() for name, _ in response.headers}
    response.headers.extend([(name, value) for name, value in _ALWAYS.items() if name.lower() not in given])
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
    # All but files that ship: pages and answers hold texts, rules, or who is logged in.
    if not is_static():
        response.headers["Cache-Control"] = "no-store"
    return response


def _lead_to_a_path(response: Response) -> None:
    """Routing leads to an address of the host that was asked for, which may be any that a client likes to name."""
    if response.location and response.location.startswith(request.host_url):
        path = response.location.removeprefix(request.host_url)
        response.location = "/" + path.lstrip("/\\")


def is_static() -> bool:
    return request.endpoint in ("static", "bootstrap.static")
