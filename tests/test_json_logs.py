"""With ``BASTION_LOG_FORMAT=json`` every line that a server writes is an object, whatever somebody has sent."""

import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from bastion.logs import json_formatter
from tests.databases import Databases
from tests.servers import Server

HOSTILE = 'a\n{"level": "critical", "event": "fake"}\r\n"\\\'\x1b[31m\u2028\u2029\x85\u202e\U0001f600'
REFUSED = "a form without its token was refused: POST "


@pytest.fixture(scope="module")
def url(databases: Databases) -> str:
    return databases.blank("sqlite")


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(url, tmp_path_factory.mktemp("logs") / "instance", BASTION_LOG_FORMAT="json")
    yield running
    running.stop()


def lines(server: Server) -> list[dict[str, Any]]:
    """The log since the server began to serve; raises when a line of it is no object."""
    _, serves, rest = server.log.rpartition('{"event": "Bastion serves on ')
    assert serves
    # Not `splitlines`: whoever collects logs splits at line feeds.
    found = [json.loads(line) for line in (serves + rest).removesuffix("\n").split("\n")]
    assert {type(line) for line in found} == {dict}
    return found


def ask(server: Server, method: str, path: str) -> tuple[int, HTTPMessage, str]:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request(method, path, headers={"X-API-Key": server.token})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def test_master_and_workers_write_objects_from_the_moment_that_they_serve(server: Server) -> None:
    found = lines(server)

    assert {(line["logger"], line["level"]) for line in found} >= {("gunicorn.error", "info")}
    assert [line["event"].startswith("The worker is ready: ") for line in found].count(True) == 2
    assert all(line["timestamp"].endswith("Z") and line["event"] for line in found)
    assert not [line for line in found if "request_id" in line]


def test_a_refused_request_is_logged_under_the_id_that_is_answered(server: Server) -> None:
    status, headers, _ = ask(server, "POST", "/login")

    assert status == 400
    (line,) = [line for line in lines(server) if line.get("request_id") == headers["X-Request-ID"]]
    assert (line["event"], line["level"], line["logger"]) == (f"{REFUSED}/login", "warning", "bastion.web.errors")


def test_a_failed_request_is_logged_under_the_id_that_is_answered_without_what_was_sent(
    server: Server, url: str
) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE rules RENAME TO away")
    try:
        answers = [ask(server, "GET", f"{path}?category={quote(HOSTILE)}zebra") for path in ("/api/v1/rules",) * 3]
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO rules")
        engine.dispose()

    for status, headers, body in answers:
        assert (status, json.loads(body)["error"]) == (503, "database_unavailable")
        told = [line for line in lines(server) if line.get("request_id") == headers["X-Request-ID"]]
        assert {line["level"] for line in told} == {"error"}
        assert "the database failed: OperationalError" in [line["event"] for line in told]
        for line in told:
            assert line["exception"] in ("OperationalError", "DatabaseUnavailable")
            assert all(isinstance(frame, str) for frame in line["frames"])
        assert [line for line in told if line["frames"]]
    assert "zebra" not in server.log


def test_what_was_sent_breaks_no_line(server: Server) -> None:
    """Many at once, so that all workers write to the one file."""
    paths = [f"/accounts/{HOSTILE} {number} {HOSTILE * 10}/disable" for number in range(60)]

    with ThreadPoolExecutor(8) as callers:
        answers = [*callers.map(lambda path: ask(server, "POST", quote(path)), paths)]

    assert {status for status, *_ in answers} == {400}
    told = {line["request_id"]: line["event"] for line in lines(server) if line["event"].startswith(REFUSED)}
    assert [told[headers["X-Request-ID"]] for _, headers, _ in answers] == [REFUSED + path for path in paths]
    assert not [line for line in lines(server) if line["level"] == "critical"]
    assert server.log.isascii()
    assert not [character for character in server.log if ord(character) < 0x20 and character != "\n"]


def test_what_is_no_http_is_told_in_one_object_too(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b'GET / "}\x1b[31m\x85{" HTTP/9.9\r\n\r\n')
        assert connection.recv(12) == b"HTTP/1.1 400"

    (line,) = [line for line in lines(server) if line["event"].startswith("Invalid request")]
    assert (line["level"], line["logger"]) == ("warning", "gunicorn.error")


def test_an_exceptions_words_and_a_hostile_argument_stay_in_one_object() -> None:
    """Words of exceptions quote rows, and rows hold prompts."""
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(f"DETAIL: the row of a prompt\n{HOSTILE}") from ValueError("another row")
    raised = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("bastion", logging.ERROR, "x", 1, "failed: %s", (HOSTILE,), raised)

    line = json_formatter(lambda: "0123456789abcdef").format(record)

    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert (told["event"], told["exception"], told["request_id"]) == (
        f"failed: {HOSTILE}",
        "RuntimeError",
        "0123456789abcdef",
    )
    assert "row" not in line
    (frame,) = told["frames"]
    assert frame.endswith("test_an_exceptions_words_and_a_hostile_argument_stay_in_one_object")
