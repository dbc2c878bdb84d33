"""Every error of the pages as a page."""

import logging

from flask import make_response, render_template, request
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from bastion.errors import BastionError
from bastion.security.request_ids import request_id

log = logging.getLogger(__name__)


def answer_error(error: Exception) -> Response:
    """The page for anything that a view raised, or for an address that there is not."""
    if isinstance(error, CSRFError):
        log.warning("a form without its token was refused: %s %s", request.method, request.path)
        return _page(400, "The form is out of date", f"{error.description} Go back, load the page again and resend.")
    if isinstance(error, HTTPException):
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        return _page(error.code or 500, error.name, error.description or "")
    if isinstance(error, BastionError) and error.word != BastionError.word:
        if error.status >= 500:
            log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
        return _page(error.status, error.status.phrase, str(error))
    log.error("unexpected error on %s %s", request.method, request.path, exc_info=error)
    return _page(500, "Something failed here", "It is ours, and the log has it under the id below.")


def _page(status: int, title: str, detail: str) -> Response:
    if request_ctx.url_adapter is None:
        # The Host is none that an address could be made for, so that a page would have no links.
        return Response(f"{title}\n{detail}\n", int(status), content_type="text/plain; charset=utf-8")
    page = render_template("error.html", status=int(status), title=title, detail=detail, request_id=request_id())
    return make_response(page, int(status))
