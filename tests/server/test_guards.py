"""What must hold in every worker of a real server at once."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bastion.services.people.accounts import Accounts, Role
from bastion.services.people.tokens import Scope, Tokens
from tests.conftest import PASSWORD, ROOT, clean_environment
from tests.databases import Databases
from tests.servers import BIN, Server

REVOKED_WITHIN = 1.0
FORM = "application/x-www-form-urlencoded"


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
    status, headers, _ = send(server, "POST", "/login", form, Cookie=cookie_of(headers), Content_Type=FORM)
    assert status == 302
    return cookie_of(headers)


@contextmanager
def asleep(pid: int) -> Iterator[None]:
    """A worker that takes no connection meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def awake(server: Server, pid: int) -> Iterator[None]:
    """All other workers sleep, so that this one answers."""
    with ExitStack() as others:
        for other in server.worker_pids():
            if other != pid:
                others.enter_context(asleep(other))
        yield


def statuses(server: Server, path: str, **headers: str) -> list[int]:
    """What each worker answers."""
    found = []
    for pid in server.worker_pids():
        with awake(server, pid):
            found.append(get(server, path, **headers)[0])
    assert len(found) == 2
    return found


def test_a_revoked_token_is_refused_by_every_worker_within_a_second(server: Server) -> None:
    # In this process: the command's own start takes longer than the second.
    tokens = Tokens(server.instance)
    token = tokens.create("doomed", [Scope.READ], lifetime=timedelta(days=90))
    assert statuses(server, "/api/v1/flow/list", X_API_Key=token) == [200, 200]
    assert re.search(r"doomed +read +as sent +20\d\d-\d\d-\d\d \d\d:\d\d UTC +used 20", server.flask("token", "list"))

    tokens.revoke("doomed")
    time.sleep(REVOKED_WITHIN)

    assert statuses(server, "/api/v1/flow/list", X_API_Key=token) == [401, 401]
    assert statuses(server, "/api/v1/flow/list", X_API_Key=server.token) == [200, 200]


def test_a_session_ends_in_every_worker_with_a_disabled_account_or_a_new_password(server: Server) -> None:
    accounts = Accounts(server.instance)
    cookie = log_in(server)
    assert statuses(server, "/accounts/", Cookie=cookie) == [200, 200]

    accounts.set_password("admin", PASSWORD)

    assert statuses(server, "/accounts/", Cookie=cookie) == [302, 302]
    cookie = log_in(server)
    accounts.add("spare", Role.ADMIN, PASSWORD)
    accounts.disable("admin")
    assert statuses(server, "/accounts/", Cookie=cookie) == [302, 302]
    accounts.enable("admin")


@pytest.fixture(scope="module")
def narrow(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers of one thread each, which wait a second for a client."""
    folder = tmp_path_factory.mktemp("narrow") / "instance"
    settings = {"BASTION_API_RATE": "1", "BASTION_THREADS": "1", "BASTION_CLIENT_SECONDS": "1"}
    running = Server(databases.blank("sqlite"), folder, **settings)
    yield running
    running.stop()


def test_two_workers_count_one_tokens_requests_together(narrow: Server) -> None:
    """One request a minute: each worker by itself would let one pass."""
    first, second = narrow.worker_pids()
    with awake(narrow, first):
        assert get(narrow, "/api/v1/flow/list", X_API_Key=narrow.token)[0] == 200
    for pid in (second, first):
        with awake(narrow, pid):
            status, headers, _ = get(narrow, "/api/v1/flow/list", X_API_Key=narrow.token)
        assert status == 429
        assert 1 <= int(headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    "half",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
        f"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 9\r\n\r\na=".encode(),
    ],
    ids=["headers", "body"],
)
def test_whoever_sends_half_a_request_keeps_no_thread(narrow: Server, half: bytes) -> None:
    with awake(narrow, narrow.worker_pids()[0]), socket.create_connection(("127.0.0.1", narrow.port)) as slow:
        slow.sendall(half)
        with closing(http.client.HTTPConnection("127.0.0.1", narrow.port, timeout=20)) as connection:
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
    assert "WARNING] A client sent or took nothing for 1 s" in narrow.log or half.startswith(b"POST")
    assert "Traceback" not in narrow.log


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        (b"e\r\n" + b'{"prompt":"x"}' + b"\r\n0\r\n\r\n", 200),
        (b"-1\r\n{}\r\n0\r\n\r\n", 400),
        (b"0x2\r\n{}\r\n0\r\n\r\n", 400),
        ((b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 8 + b"2\r\n{}\r\n0\r\n\r\n", 413),
    ],
    ids=["right", "negative", "prefixed", "too large"],
)
def test_a_body_in_chunks_is_whole_or_refused(server: Server, chunks: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = f"POST /api/v1/flow/run HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.token}\r\nConnection: close\r\n"
        head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + chunks)
        assert connection.recv(12) == f"HTTP/1.1 {status}".encode()


def test_debug_mode_does_not_start(instance: Path) -> None:
    """Its pages would show tracebacks, and run what they are sent."""
    started = subprocess.run(
        [BIN / "gunicorn", "-c", "python:bastion.gunicorn", "wsgi:app"],
        cwd=ROOT,
        env=clean_environment(BASTION_INSTANCE=str(instance), FLASK_DEBUG="1"),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert started.returncode != 0
    assert "FLASK_DEBUG: must be unset" in started.stderr
    assert "Traceback" not in started.stderr
    assert not instance.exists()


def test_nobody_says_who_he_is_by_a_header(server: Server) -> None:
    """Without BASTION_PROXIES neither gunicorn nor Bastion believes any."""
    lies = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "10.0.0.1", "X_Remote_User": "admin"}

    status, headers, _ = get(server, "/accounts/", **lies)

    assert status == 302
    assert headers["Strict-Transport-Security"] is None
    lines = [json.loads(line) for line in (server.instance / "audit.log").read_text().splitlines()]
    assert {line["address"] for line in lines if line.get("address")} <= {"127.0.0.1"}
    assert {line["kind"] for line in lines} >= {"account", "process"}
