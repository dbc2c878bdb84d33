"""What must hold in every worker of a real server at once."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest

from tests.conftest import PASSWORD
from tests.databases import Databases
from tests.servers import Server

TRIES = 30
"""Each on a new connection: that all of them meet the same one of two workers has a chance of one in 500 million."""
REVOKED_WITHIN = 1.0


@pytest.fixture(scope="module")
def server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(databases.blank("sqlite"), tmp_path_factory.mktemp("guards") / "instance", BASTION_API_RATE="6000")
    yield running
    running.stop()


Answer = tuple[int, http.client.HTTPMessage, str]


def get(server: Server, path: str, **headers: str) -> Answer:
    return send(server, "GET", path, "", **headers)


def send(server: Server, method: str, path: str, body: str, **headers: str) -> Answer:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request(
            method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def cookie_of(headers: http.client.HTTPMessage) -> str:
    jar = SimpleCookie(headers["Set-Cookie"])
    return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


def log_in(server: Server) -> str:
    """The cookie of a session of ``admin``."""
    _, headers, page = get(server, "/login")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    form = urlencode({"csrf_token": token[1], "name": "admin", "password": PASSWORD})
    kind = "application/x-www-form-urlencoded"
    status, headers, _ = send(server, "POST", "/login", form, Cookie=cookie_of(headers), Content_Type=kind)
    assert status == 302
    return cookie_of(headers)


def statuses(server: Server, path: str, **headers: str) -> set[int]:
    return {get(server, path, **headers)[0] for _ in range(TRIES)}


def test_a_revoked_token_is_refused_by_every_worker_within_a_second(server: Server) -> None:
    token = server.flask("token", "create", "doomed", "--scope", "read", "--expires", "90d").strip()
    assert statuses(server, "/api/v1/flow/list", X_API_Key=token) == {200}
    assert re.search(r"doomed +read +as sent +20\d\d-\d\d-\d\d \d\d:\d\d UTC +used 20", server.flask("token", "list"))

    # In this process: the command's own start takes longer than the second.
    from bastion.services.people.tokens import Tokens

    Tokens(server.instance).revoke("doomed")
    time.sleep(REVOKED_WITHIN)

    assert statuses(server, "/api/v1/flow/list", X_API_Key=token) == {401}
    assert statuses(server, "/api/v1/flow/list", X_API_Key=server.token) == {200}


def test_a_session_ends_in_every_worker_with_a_disabled_account_or_a_new_password(server: Server) -> None:
    cookie = log_in(server)
    assert statuses(server, "/accounts/", Cookie=cookie) == {200}

    server.flask("user", "passwd", "admin", "--password", PASSWORD)

    assert statuses(server, "/accounts/", Cookie=cookie) == {302}
    cookie = log_in(server)
    server.flask("user", "add", "spare", "--role", "admin", "--password", PASSWORD)
    server.flask("user", "disable", "admin")
    assert statuses(server, "/accounts/", Cookie=cookie) == {302}
    server.flask("user", "enable", "admin")


def test_two_workers_count_one_tokens_requests_together(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rates") / "instance"
    server = Server(databases.blank("sqlite"), folder, BASTION_API_RATE="60", BASTION_WORKERS="2")
    try:
        answers = [get(server, "/api/v1/flow/list", X_API_Key=server.token) for _ in range(30)]
    finally:
        server.stop()

    # Ten at once, and one more for each second that it took.
    passed = [status for status, _, _ in answers].count(200)
    refused = [headers["Retry-After"] for status, headers, _ in answers if status == 429]
    assert 10 <= passed < 20
    assert refused
    assert all(1 <= int(seconds) <= 2 for seconds in refused)


def test_nobody_says_who_he_is_by_a_header(server: Server) -> None:
    """Without BASTION_PROXIES neither gunicorn nor Bastion believes any."""
    lies = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "10.0.0.1", "X_Remote_User": "admin"}

    status, headers, _ = get(server, "/accounts/", **lies)

    assert status == 302
    assert headers["Strict-Transport-Security"] is None
    lines = [json.loads(line) for line in (server.instance / "audit.log").read_text().splitlines()]
    assert {line["address"] for line in lines if line.get("address")} <= {"127.0.0.1"}
    assert {line["kind"] for line in lines} >= {"account", "command"}
