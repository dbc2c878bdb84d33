"""Two servers with an instance folder each on one PostgreSQL, and nginx in front."""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

from tests.nginx import Nginx
from tests.servers import Server


@dataclass(frozen=True)
class TwoHosts:
    """As ``docs/deploy.md`` says: one database, one SECRET_KEY, the same accounts and tokens."""

    first: Server
    second: Server
    nginx: Nginx

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, HTTPMessage, str]:
        """One request through nginx."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.nginx.connect()) as connection:
            connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def run(self, prompt: str) -> tuple[int, Any]:
        """The answer to one text through nginx."""
        bearer = f"Bearer {self.first.token}"
        kind = "application/json"
        status, _, content = self.call(
            "POST", "/api/v1/flow/run", {"prompt": prompt}, Authorization=bearer, Content_Type=kind
        )
        return status, json.loads(content) if content.startswith("{") else content


@contextmanager
def two_hosts(url: str, folder: Path) -> Iterator[TwoHosts]:
    key = secrets.token_hex(32)
    with ExitStack() as stack:
        first, second = (Server(url, folder / name, SECRET_KEY=key, BASTION_PROXIES="1") for name in ("one", "two"))
        stack.callback(first.stop)
        stack.callback(second.stop)
        for name in ("tokens.json", "accounts.json"):
            shutil.copy(first.instance / name, second.instance / name)
        second.token = first.token
        nginx = Nginx(folder / "nginx", [first.port, second.port])
        stack.callback(nginx.stop)
        yield TwoHosts(first, second, nginx)
