"""oidc-provider-mock in a process of its own, with what it lacks: it holds codes to their PKCE challenge (RFC 7636)."""

import base64
import hashlib
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oidc_provider_mock import run_server_in_thread


class HoldingToPkce:
    """Refuses a code whose verifier is not the one that its challenge was made of."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}

        def remembering(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            for name, value in headers:
                code = parse_qs(urlsplit(value).query).get("code") if name.lower() == "location" else None
                if code and asked.get("code_challenge_method") == "S256":
                    self._challenges[code[0]] = asked["code_challenge"]
            return start(status, headers, *more)

        if environ["PATH_INFO"] == "/oauth2/token" and not self._is_held(environ):
            start("400 BAD REQUEST", [("Content-Type", "application/json")])
            return [b'{"error": "invalid_grant"}']
        return self._app(environ, remembering)

    def _is_held(self, environ: dict[str, Any]) -> bool:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        sent = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return self._challenges.get(sent.get("code", "")) == challenge


if __name__ == "__main__":
    with run_server_in_thread(require_nonce=True) as server:
        server.app = HoldingToPkce(server.app)
        print(server.server_port, flush=True)  # noqa: T201
        # Until the test closes its end.
        sys.stdin.read()
