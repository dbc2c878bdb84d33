"""Every route, with each right and without: the table in ``bastion.access`` is what holds."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule as Route

from bastion.access import BY_ROLE, BY_SCOPE, ROUTES, Right
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Scope
from tests.conftest import log_in_as

NOBODY_LOGGED_IN = (302, "/login")


def routes(app: Flask) -> list[Route]:
    return [route for route in app.url_map.iter_rules() if ROUTES.get(route.endpoint) is not Right.PUBLIC]


def call(client: FlaskClient, route: Route, method: str) -> tuple[int, str]:
    path = re.sub(r"<\w+>", "9", re.sub(r"<path:\w+>", "t", re.sub(r"<int:\w+>", "999", route.rule)))
    answer = client.open(path, method=method, json={} if path.startswith("/api/") else None)
    return answer.status_code, answer.headers.get("Location", "").split("?")[0]


def methods(route: Route) -> list[str]:
    return sorted((route.methods or set()) - {"HEAD", "OPTIONS"})


def test_every_route_is_in_the_table_and_the_table_has_no_other(app: Flask) -> None:
    assert {route.endpoint for route in app.url_map.iter_rules()} == set(ROUTES)


def test_a_route_that_is_not_in_the_table_answers_nobody(app: Flask, admin: FlaskClient) -> None:
    app.view_functions["stray"] = lambda: "secret"
    app.url_map.add(Route("/stray", endpoint="stray"))

    assert admin.get("/stray").status_code == 403


CALLERS = ["nobody", *Role, "wrong token", "expired token", *Scope]


def caller(app: Flask, name: str) -> FlaskClient:
    """A client of one kind; what it has for a right is in ``rights_of``."""
    if name in list(Role):
        return log_in_as(app, Role(name))
    client = app.test_client()
    tokens = app.extensions["bastion"].tokens
    if name == "wrong token":
        client.environ_base["HTTP_AUTHORIZATION"] = "Bearer bastion_" + "x" * 43
    elif name == "expired token":
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {tokens.create('old', lifetime=timedelta(seconds=-1))}"
    elif name in list(Scope):
        client.environ_base["HTTP_X_API_KEY"] = tokens.create(f"only {name}", [Scope(name)])
    return client


def rights_of(name: str) -> set[Right]:
    if name in list(Role):
        return set(BY_ROLE[Role(name)])
    return {BY_SCOPE[Scope(name)]} if name in list(Scope) else set()


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("name", CALLERS)
def test_every_route_answers_every_caller_as_the_table_says(app: Flask, name: str) -> None:
    client = caller(app, name)
    # Forgery is another guard's business, and is tested for each form elsewhere.
    app.config["WTF_CSRF_ENABLED"] = False
    rights = rights_of(name)
    walked = 0
    # Logging out comes last: it would make a role nobody.
    for route in sorted(routes(app), key=lambda route: route.endpoint == "auth.logout"):
        for method in methods(route):
            status, location = call(client, route, method)
            told = f"{name}: {method} {route.rule} answers {status} {location}"
            walked += 1
            if ROUTES[route.endpoint] in rights:
                assert status not in (401, 403), told
                assert location != "/login" or route.endpoint == "auth.logout", told
            elif not route.endpoint.startswith("api."):
                assert (status == 403) if name in list(Role) else ((status, location) == NOBODY_LOGGED_IN), told
            else:
                assert status == (403 if name in list(Scope) else 401), told
    assert walked > 50


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "bastion_é".encode().decode("latin-1")},
        {"Authorization": "Bearer"},
    ],
)
def test_a_wrong_token_is_told_what_to_send(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get("/api/v1/rules", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "X-API-Key" in answer.get_json()["detail"]


def test_both_headers_carry_a_token(app: Flask, client: FlaskClient) -> None:
    token = app.extensions["bastion"].tokens.create("both")

    assert client.get("/api/v1/rules", headers={"Authorization": f"bearer {token}"}).status_code == 200
    assert client.get("/api/v1/rules", headers={"X-API-Key": token}).status_code == 200


def test_the_api_answers_errors_in_json(api: FlaskClient) -> None:
    for method, path, status in (("GET", "/api/v1/nope", 404), ("POST", "/api/v1/events", 405), ("GET", "/api/", 404)):
        answer = api.open(path, method=method)
        assert answer.status_code == status
        assert set(answer.get_json()) == {"error", "detail", "request_id"}
    assert "GET" in api.post("/api/v1/events").headers["Allow"]


def test_pages_and_answers_carry_the_security_headers(client: FlaskClient, api: FlaskClient) -> None:
    for answer in (client.get("/login"), api.get("/api/v1/rules"), client.get("/nope")):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/events/%00", "/events/?flow_name=%00", "/rules/?category=a%00b"])
def test_a_nul_in_an_address_is_refused(admin: FlaskClient, path: str) -> None:
    assert admin.get(path).status_code == 400


@pytest.mark.parametrize("path", ["/events/task/%00", "/events?flow_name=%00", "/rules?category=%00", "/events/%00"])
def test_a_nul_in_an_address_of_the_api_is_refused(api: FlaskClient, path: str) -> None:
    answer = api.get(f"/api/v1{path}")

    assert answer.status_code == 400
    assert "NUL" in answer.get_json()["detail"]
