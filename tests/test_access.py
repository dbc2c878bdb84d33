"""Every route, with each right and without: the table in ``bastion.access`` is what holds."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule as Route

from bastion.access import BY_ROLE, BY_SCOPE, ROUTES, Right
from bastion.services.accounts import Role
from bastion.services.tokens import Scope
from tests.conftest import log_in_as

NOBODY_LOGGED_IN = (302, "/login")


def routes(app: Flask) -> list[Route]:
    return [route for route in app.url_map.iter_rules() if ROUTES.get(route.endpoint) is not Right.PUBLIC]


def call(client: FlaskClient, route: Route, method: str) -> tuple[int, str]:
    path = route.rule
    for converter, name in (("<int:rule_id>", "999"), ("<path:task_id>", "t"), ("<key>", "9")):
        path = path.replace(converter, name)
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


@pytest.mark.parametrize("kind", ["sqlite"])
def test_without_a_login_or_a_token_nothing_answers(app: Flask, client: FlaskClient) -> None:
    for route in routes(app):
        for method in methods(route):
            status, location = call(client, route, method)
            if route.endpoint.startswith("api."):
                assert status == 401, route
            elif method == "GET":
                assert (status, location) == NOBODY_LOGGED_IN, route
            else:
                # The CSRF check comes first for a form that a stranger sends.
                assert status == 400 or (status, location) == NOBODY_LOGGED_IN, route


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_pages_and_no_other(app: Flask, role: Role) -> None:
    client = log_in_as(app, role)
    for route in sorted(routes(app), key=lambda route: route.endpoint == "auth.logout"):
        for method in methods(route):
            status, location = call(client, route, method)
            if route.endpoint.startswith("api."):
                assert status == 401, f"a session opens {route}"
            elif ROUTES[route.endpoint] in BY_ROLE[role]:
                assert status != 403, route
                assert location != "/login" or route.endpoint == "auth.logout", route
            else:
                assert status == 403, route


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_its_routes_and_no_other(app: Flask, scoped, scope: Scope) -> None:  # type: ignore[no-untyped-def]
    client = scoped(scope)
    for route in routes(app):
        for method in methods(route):
            status, location = call(client, route, method)
            if not route.endpoint.startswith("api."):
                assert status == 400 or (status, location) == NOBODY_LOGGED_IN, f"a token opens {route}"
            elif ROUTES[route.endpoint] is BY_SCOPE[scope]:
                assert status not in (401, 403), route
            else:
                assert status == 403, route


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
        assert set(answer.get_json()) == {"error", "detail"}
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
