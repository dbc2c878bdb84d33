"""A second guard against forged requests beside the token in each form: what the browser says of where they began."""

from typing import Final

from flask import Flask, request
from werkzeug.exceptions import BadRequest

_OURS: Final = ("same-origin", "none")


def refuse_cross_site(app: Flask) -> None:
    """Our pages send no Referer, so that Flask-WTF's check of it cannot be used."""
    app.before_request(_refuse)


def _refuse() -> None:
    began = request.headers.get("Sec-Fetch-Site")
    if request.method not in ("GET", "HEAD", "OPTIONS") and began is not None and began not in _OURS:
        raise BadRequest("The request was begun by another site.")
