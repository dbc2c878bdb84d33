"""The one route that programs call thousands of times a second, without Flask where nothing is out of the ordinary.

Routing, hooks, proxies and response objects take longer than to judge a text and store its event: measured on a 1 KB
prompt, 0.4 of 0.8 ms. So a plain ``POST /api/v1/flow/run`` with a valid token and a valid body is answered here, by the
same functions that the route calls. Whatever is not plain goes to Flask with its body put back, and every error is
Flask's to find and to answer. Headers are those that Flask answered with the first time: there is no second list.
"""

import io
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from bastion.access import BY_SCOPE, ROUTES, Right, token_of
from bastion.api.flow import NOT_RECORDED, RunRequest, submission
from bastion.api.parsing import decode, validate
from bastion.errors import NotRecorded
from bastion.firewall.analysis import answer
from bastion.runtime import Runtime
from bastion.security.request_ids import BEFORE_FLASK, HEADER, new_request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = "/api/v1/flow/run"
ENDPOINT: Final = "api.run_flow"

_OF_ONE_ANSWER: Final = ("content-length", HEADER.lower())
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))

Headers = list[tuple[str, str]]


class NotPlain(Exception):
    """Something for Flask."""


class QuickRun:
    """Answers what is plain, and hands on the rest to the application that it stands in front of."""

    def __init__(self, app: Flask, slow: "WSGIApplication") -> None:
        self._app = app
        self._slow = slow
        # What Flask answered with over plain HTTP and over HTTPS.
        self._headers: dict[str, Headers] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or not _is_plain(environ):
            return self._slow(environ, start_response)
        length = int(environ["CONTENT_LENGTH"])
        if length > self._app.config["MAX_CONTENT_LENGTH"]:
            return self._slow(environ, start_response)
        headers = self._headers.get(environ["wsgi.url_scheme"])
        if headers is None:
            return self._slow(environ, self._learning(environ["wsgi.url_scheme"], start_response))
        body = environ["wsgi.input"].read(length)
        name = new_request_id()
        before = BEFORE_FLASK.set(name)
        try:
            answered = self._answer(environ, body)
        except Exception as error:  # Flask meets it too, and says what it is.
            if isinstance(error, NotRecorded):
                environ[NOT_RECORDED] = error
            environ["wsgi.input"] = io.BytesIO(body)
            return self._slow(environ, start_response)
        finally:
            BEFORE_FLASK.reset(before)
        start_response("200 OK", [*headers, ("Content-Length", str(len(answered))), (HEADER, name)])
        return [answered]

    def _answer(self, environ: "WSGIEnvironment", body: bytes) -> bytes:
        parts: Runtime = self._app.extensions["bastion"]
        clear = token_of(environ.get("HTTP_X_API_KEY"), environ.get("HTTP_AUTHORIZATION"))
        token = parts.tokens.find(clear) if clear else None
        if (
            token is None
            or parts.settings.bastion_api_rate
            or ROUTES[ENDPOINT] not in {BY_SCOPE[scope] for scope in token.scopes}
            or len(body) != int(environ["CONTENT_LENGTH"])
        ):
            raise NotPlain
        asked = submission(validate(RunRequest, decode(body)), token)
        answered = _ENCODER.encode(answer(parts.firewall.analyze(asked))).encode("ascii") + b"\n"
        parts.metrics.answered(ENDPOINT, "POST", 200)
        return answered

    def _learning(self, scheme: str, start_response: "StartResponse") -> "StartResponse":
        def learn(status: str, headers: Headers, *more: Any) -> Callable[[bytes], object]:
            if status == "200 OK" and not any(name.lower() == "set-cookie" for name, _ in headers):
                self._headers[scheme] = [pair for pair in headers if pair[0].lower() not in _OF_ONE_ANSWER]
            return start_response(status, headers, *more)

        return learn


def _is_plain(environ: "WSGIEnvironment") -> bool:
    """Whether there is nothing in a request that any hook of ours looks at, beside its token."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and ROUTES[ENDPOINT] is Right.ANALYZE
        and environ.get("CONTENT_TYPE") == "application/json"
        and not environ.get("QUERY_STRING")
        and not environ.get("SCRIPT_NAME")
        and "HTTP_SEC_FETCH_SITE" not in environ
        and "HTTP_COOKIE" not in environ
        and "HTTP_TRANSFER_ENCODING" not in environ
        and len(length) < 8
        and length.isascii()
        and length.isdigit()
    )
