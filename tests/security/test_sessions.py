"""Sessions: whose they are, how long they last, and what ends them."""

import time
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bastion import create_app
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from bastion.services.people.ended_sessions import MAX_SESSION_SECONDS
from tests.conftest import PASSWORD
from tests.security.conftest import csrf, log_in

SECURE = {"wsgi.url_scheme": "https", "HTTP_HOST": "bastion.example"}


def cookie_of(client: FlaskClient) -> str:
    found = client.get_cookie("bastion")
    assert found is not None
    return str(found.value)


def opens(app: Flask, cookie: str) -> bool:
    """Whether a browser that has nothing but this cookie is logged in."""
    thief = app.test_client()
    thief.set_cookie("bastion", cookie)
    return thief.get("/rules/").status_code == 200


def test_a_session_from_before_the_login_is_worth_nothing_after_it(app: Flask, parts: Runtime) -> None:
    parts.accounts.add("ada", Role.ANALYST, PASSWORD)
    client = app.test_client()
    client.get("/login")
    planted = cookie_of(client)

    assert log_in(client).status_code == 302

    assert cookie_of(client) != planted
    assert not opens(app, planted)
    assert opens(app, cookie_of(client))


def test_logging_out_ends_every_copy_of_the_session(app: Flask, ada: FlaskClient) -> None:
    copied = cookie_of(ada)
    assert opens(app, copied)

    ada.post("/logout", data={"csrf_token": csrf(ada, "/")})

    assert not opens(app, copied)


def test_a_new_password_ends_all_sessions_but_the_one_that_made_it(app: Flask, ada: FlaskClient) -> None:
    other = app.test_client()
    log_in(other)
    answer = ada.post(
        "/accounts/password",
        data={
            "csrf_token": csrf(ada, "/accounts/password"),
            "current": PASSWORD,
            "password": "seven quiet lighthouse keepers",
            "repeated": "seven quiet lighthouse keepers",
        },
    )

    assert answer.status_code == 302
    assert ada.get("/rules/").status_code == 200
    assert other.get("/rules/").status_code == 302


def test_a_disabled_account_is_out_at_its_next_request_on_another_worker(
    app: Flask, ada: FlaskClient, instance: Path, database_url: str
) -> None:
    worker = create_app(database_url=database_url, bastion_instance=instance)
    elsewhere = worker.test_client()
    elsewhere.set_cookie("bastion", cookie_of(ada))
    assert elsewhere.get("/accounts/password").status_code == 200

    app.extensions["bastion"].accounts.disable("ada")

    assert elsewhere.get("/accounts/password").status_code == 302
    app.extensions["bastion"].accounts.enable("ada")
    assert elsewhere.get("/accounts/password").status_code == 302, "the session was only asleep"


@pytest.mark.parametrize(("hours", "open_"), [(7.9, True), (8.1, False)])
def test_a_session_ends_eight_hours_after_its_last_request(
    app: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch, hours: float, open_: bool
) -> None:
    cookie = cookie_of(ada)
    later = time.time() + hours * 3600

    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: later)
        assert opens(app, cookie) is open_


def test_a_session_ends_a_day_after_its_login_however_busy(
    app: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time()
    for hour in range(0, 24, 6):
        moment = began + hour * 3600
        with monkeypatch.context() as patched:
            patched.setattr(time, "time", lambda now=moment: now)
            assert ada.get("/rules/").status_code == 200

    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: began + MAX_SESSION_SECONDS + 1)
        assert ada.get("/rules/").status_code == 302


def test_cookies_are_secure_but_on_this_host(app: Flask, parts: Runtime) -> None:
    parts.accounts.add("ada", Role.ANALYST, PASSWORD)
    for environ, name, secure in (
        ({}, "bastion", False),
        ({"HTTP_HOST": "127.0.0.1:8000"}, "bastion", False),
        (SECURE, "__Host-bastion", True),
        ({"HTTP_HOST": "bastion.example"}, "__Host-bastion", True),
        # A proxy that asks for its upstream by this name, and was not made known by BASTION_PROXIES.
        ({"HTTP_HOST": "127.0.0.1:8000", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}, "__Host-bastion", True),
    ):
        answer = app.test_client().get("/login", environ_overrides=environ)
        cookie = SimpleCookie(answer.headers["Set-Cookie"])
        assert list(cookie) == [name], environ
        assert bool(cookie[name]["secure"]) is secure
        assert cookie[name]["httponly"]
        assert (cookie[name]["samesite"], cookie[name]["path"]) == ("Lax", "/")


def test_no_file_that_ships_sets_a_cookie(ada: FlaskClient) -> None:
    with ada.get("/static/bastion.css") as answer:
        assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie" in ada.get("/rules/").headers


def test_plain_http_from_elsewhere_says_that_no_login_can_last(app: Flask) -> None:
    remote = app.test_client().get("/login", environ_overrides={"HTTP_HOST": "bastion.example"})

    assert "BASTION_PROXIES" in remote.get_data(as_text=True)
    assert "BASTION_PROXIES" not in app.test_client().get("/login").get_data(as_text=True)


def test_a_password_that_somebody_else_made_opens_one_page(app: Flask, parts: Runtime) -> None:
    parts.accounts.add("new", Role.ANALYST, PASSWORD, must_change=True)
    client = app.test_client()
    log_in(client, "new")

    assert client.get("/rules/").headers["Location"] == "/accounts/password"
    fresh = "seven quiet lighthouse keepers"
    form = {"current": PASSWORD, "password": fresh, "repeated": fresh}
    client.post("/accounts/password", data={"csrf_token": csrf(client, "/accounts/password"), **form})
    assert client.get("/rules/").status_code == 200
