"""Every error of the API as JSON: ``error`` is a word for programs, ``detail`` a sentence, ``errors`` the fields,
``request_id`` what the log has it under.
"""

import logging
from typing import Any

from flask import jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from bastion.errors import BastionError, InvalidInput
from bastion.security.request_ids import request_id

log = logging.getLogger(__name__)


def answer_error(error: Exception) -> Response:
    """The answer to anything that a route of the API raised, or to a path under it that there is not."""
    if isinstance(error, HTTPException):
        return _http_error(error)
    if isinstance(error, BastionError) and error.word != BastionError.word:
        return _bastion_error(error)
    log.error("unexpected error on %s %s", request.method, request.path, exc_info=error)
    return _problem(500, "internal", f"something failed here; the log has it under {request_id()}")


def _bastion_error(error: BastionError) -> Response:
    if error.status >= 500:
        log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
    if isinstance(error, InvalidInput):
        faults = [{"field": fault.field, "message": fault.message} for fault in error.faults]
        return _problem(error.status, error.word, str(error), errors=faults)
    return _problem(error.status, error.word, str(error))


def _http_error(error: HTTPException) -> Response:
    """HTTP's own: no such route, wrong method, too large, no right. Headers such as Allow are kept."""
    detail = error.description or error.name
    if error.code == 404:
        detail = f"there is no {request.path}"
    if error.code == 413:
        detail = f"the body has more than {request.max_content_length} bytes"
    response = _problem(error.code or 500, error.name.lower().replace(" ", "_"), detail)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _problem(status: int, word: str, detail: str, **more: Any) -> Response:
    response: Response = jsonify({"error": word, "detail": detail, **more, "request_id": request_id()})
    response.status_code = status
    return response
