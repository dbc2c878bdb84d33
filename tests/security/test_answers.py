"""What every answer tells the browser, and what no answer tells anybody."""

import logging
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bastion.runtime import Runtime
from bastion.security.request_ids import OneLine
from tests.security.conftest import csrf

HTTPS = {"wsgi.url_scheme": "https", "HTTP_HOST": "bastion.example"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", ["/login", "/rules/", "/nope", "/api/v1/rules", "/api/v1/nope", "/healthz"])
def test_every_answer_carries_every_header(ada: FlaskClient, path: str) -> None:
    answer = ada.get(path)

    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert "Strict-Transport-Security" not in answer.headers


def test_behind_tls_browsers_are_told_to_stay_there_and_forms_work_without_a_referer(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/login", base_url="https://bastion.example")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.get_data(as_text=True))
    assert token

    sent = {"csrf_token": token[1], "name": "x", "password": "y"}
    assert client.post("/login", base_url="https://bastion.example", data=sent).status_code == 401


def test_files_that_ship_are_cached(ada: FlaskClient) -> None:
    with ada.get("/static/bastion.css") as answer:
        assert answer.headers["Cache-Control"] != "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_ours_shows_an_id_and_nothing_else(
    app: Flask,
    ada: FlaskClient,
    parts: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    debug: bool,
) -> None:
    """Not in debug mode either, which another server than ours may be started in."""
    app.debug, app.testing, app.config["PROPAGATE_EXCEPTIONS"] = debug, False, None

    def fail(*_given: object, **_named: object) -> None:
        raise RuntimeError("SELECT secret FROM /srv/bastion\nDETAIL: the row of a prompt")

    monkeypatch.setattr("bastion.web.dashboard.stored_rules.list_rules", fail)
    monkeypatch.setattr("bastion.api.rules.stored_rules.list_rules", fail)
    token = parts.tokens.create("api")

    page = ada.get("/")
    answer = ada.get("/api/v1/rules", headers={"X-API-Key": token})

    logged = capfd.readouterr().err
    for shown in (page, answer):
        assert shown.status_code == 500
        text = shown.get_data(as_text=True)
        assert shown.headers["X-Request-ID"] in text
        assert not re.search(r"SELECT|Traceback|/srv|\.py|RuntimeError", text)
        assert f"ERROR [{shown.headers['X-Request-ID']}]" in logged
    assert "SELECT secret" in logged
    assert "row of a prompt" not in logged


def test_a_log_line_is_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord("bastion", 40, "x", 1, "GET %s", ("/a\nERROR fake\r\x1b[31m\u2028\u202e",), None)

    line = OneLine().format(record)

    assert line.isprintable()
    assert "/a\\x0aERROR fake\\x0d\\x1b[31m\\u2028\\u202e" in line


def test_an_address_with_line_breaks_splits_neither_answer_nor_log(
    ada: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in ("/rules/%0d%0aSet-Cookie:%20a=b", "/events/%0a%0dx", "/rules/?category=%0d%0aX:1"):
        answer = ada.get(path)
        assert answer.status_code < 500
        assert all("\n" not in value and "\r" not in value for _, value in answer.headers)
        assert "a=b" not in str(answer.headers.getlist("Set-Cookie"))
    assert ada.get("/api/v1/flow/run", headers={"X-API-Key": "a b"}).status_code in (401, 405)
    assert "\nSet-Cookie" not in capfd.readouterr().err


@pytest.mark.parametrize("path", ["/rules", "/rules//", "/events?q=x", "//rules", "///evil.example/rules"])
def test_a_host_that_a_client_made_up_is_led_to_by_nothing(ada: FlaskClient, path: str) -> None:
    answer = ada.get(path, headers={"Host": "evil.example"})

    assert answer.status_code in (302, 308, 404)
    assert re.match(r"/(?![/\\])|$", answer.headers.get("Location", ""))
    assert "evil.example" not in answer.headers.get("Location", "").split("?")[0] or path.startswith("///")


def test_every_form_that_changes_something_wants_its_token(app: Flask, ada: FlaskClient) -> None:
    from bastion.access import ROUTES, Right

    tried = 0
    for route in app.url_map.iter_rules():
        if "POST" not in (route.methods or ()) or route.endpoint.startswith("api."):
            continue
        path = re.sub(r"<\w+>", "9", re.sub(r"<int:\w+>", "9", route.rule))
        answer = ada.post(path, data={"name": "x"})
        assert answer.status_code == 400, route
        assert "out of date" in answer.get_data(as_text=True)
        with_token = {"csrf_token": csrf(ada, "/accounts/password")}
        assert ada.post(path, data=with_token, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 400
        assert ROUTES[route.endpoint] is not None
        tried += 1
    assert tried > 10
    assert Right.PUBLIC in ROUTES.values()
    own = ada.post("/logout", data={"csrf_token": csrf(ada, "/")}, headers={"Sec-Fetch-Site": "same-origin"})
    assert own.headers["Location"] == "/login"
