"""Logging in and out, as a browser does it."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bastion.services.people.accounts import Role
from tests.conftest import PASSWORD


@pytest.fixture
def kind() -> str:
    """Accounts are in a file: one database is enough."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _account(app: Flask) -> None:
    app.extensions["bastion"].accounts.add("ada", Role.ANALYST, PASSWORD)


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def log_in(client: FlaskClient, target: str = "", password: str = PASSWORD) -> tuple[int, str]:
    page = client.get("/login", query_string={"next": target}).get_data(as_text=True)
    answer = client.post(
        "/login", data={"csrf_token": token_in(page), "name": "ada", "password": password, "next": target}
    )
    return answer.status_code, answer.headers.get("Location", "")


def test_a_right_password_opens_the_page_that_was_asked_for(client: FlaskClient) -> None:
    wanted = client.get("/rules/?q=pii").headers["Location"]
    assert wanted == "/login?next=/rules/?q%3Dpii"

    assert log_in(client, "/rules/?q=pii") == (302, "/rules/?q=pii")
    assert client.get("/rules/?q=pii").status_code == 200


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(client: FlaskClient) -> None:
    token = token_in(client.get("/login").get_data(as_text=True))
    pages = []
    for name in ("ada", "nobody"):
        answer = client.post("/login", data={"csrf_token": token, "name": name, "password": "wrong password"})
        assert answer.status_code == 401
        page = re.sub(r'name="csrf_token"[^>]*>', "", answer.get_data(as_text=True))
        pages.append(page.replace(f'value="{name}"', ""))
    assert pages[0] == pages[1]
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\evil",
        "javascript:x",
        "/\t/evil.example",
        "evil",
    ],
)
def test_no_login_leads_to_another_site(client: FlaskClient, target: str) -> None:
    assert log_in(client, target) == (302, "/")


def test_a_new_password_ends_the_session(app: Flask, client: FlaskClient) -> None:
    log_in(client)
    assert client.get("/").status_code == 200

    app.extensions["bastion"].accounts.set_password("ada", "another long password")

    assert client.get("/").status_code == 302


def test_logging_out_ends_the_session(client: FlaskClient) -> None:
    log_in(client)
    token = token_in(client.get("/").get_data(as_text=True))

    assert client.post("/logout", data={"csrf_token": token}).headers["Location"] == "/login"
    assert client.get("/").status_code == 302


def test_a_session_from_before_the_login_is_not_taken_over(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"

    log_in(client)

    with client.session_transaction() as session:
        assert "planted" not in session


@pytest.mark.parametrize("path", ["/login", "/logout", "/rules/new", "/try/"])
def test_a_form_without_its_token_is_refused(client: FlaskClient, path: str) -> None:
    log_in(client)

    assert client.post(path, data={"name": "x"}).status_code in (302, 400)
    client.delete_cookie("bastion")
    answer = client.post(path, data={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 400 or answer.headers["Location"].startswith("/login")
    assert client.get("/").status_code == 302
