"""Requests that are too large, too deep, too many or senseless."""

import json
import os
import random
import re
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion import create_app
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from tests.conftest import log_in_as
from tests.factories import stored_event, stored_rule

RULE = {"name": "Word", "details": "A word.", "pattern": "flibber", "action": "block"}
RUN = "/api/v1/flow/run"
SEED = 20261123
RANDOM_REQUESTS = int(os.environ.get("RANDOM_REQUESTS", "1000"))
"""Ten thousand take two minutes: `RANDOM_REQUESTS=10000 pytest tests/security/test_requests.py`."""

ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in pairwise("abcdefghi")
)
"""Nine levels, each nine times the one before: 387 million texts in 400 bytes."""


def nested(depth: int) -> bytes:
    return b'{"prompt": "x", "more": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(("depth", "status"), [(20, 200), (40, 400), (900, 400), (100_000, 400)])
def test_a_body_is_nested_so_deep_and_no_deeper(api: FlaskClient, depth: int, status: int) -> None:
    assert api.post(RUN, data=nested(depth), content_type="application/json").status_code == status


def test_bodies_and_fields_have_limits(api: FlaskClient, admin: FlaskClient) -> None:
    assert api.post(RUN, data=b'"' + b"x" * 9_000_000, content_type="application/json").status_code == 413
    assert api.post(RUN, json={"prompt": "x" * 1_100_000}).status_code == 413
    assert admin.post("/try/", data={"prompt": "x" * 9_000_000}).status_code == 413
    many = {f"field{number}": "x" for number in range(500)}
    assert admin.post("/try/", data=many, content_type="multipart/form-data").status_code == 413
    assert admin.post("/login", data={"name": "x" * 10_000, "password": "y"}).status_code in (302, 422)


def test_a_pattern_of_ten_megabytes_is_refused_and_one_of_seven_as_fast(api: FlaskClient) -> None:
    for size, status in ((10_000_000, 413), (7_000_000, 422)):
        answer = api.post("/api/v1/rules", json={**RULE, "pattern": "(a|b)" * (size // 5)})
        assert answer.status_code == status
    assert api.post("/api/v1/rules", json={**RULE, "pattern": "((((a{1000}){1000}){1000}){1000})"}).status_code == 422


@pytest.mark.parametrize(
    "bomb",
    [
        ALIASES,
        "[" * 100_000,
        "!!python/object/apply:os.system ['touch pwned']",
        "a: !!binary " + "A" * 1000,
        "- " * 50_000,
    ],
    ids=["aliases", "depth", "objects", "binary", "dashes"],
)
def test_a_yaml_bomb_is_refused(app: Flask, tmp_path: Path, bomb: str) -> None:
    file = tmp_path / "bomb.yml"
    file.write_text(bomb)

    done = app.test_cli_runner().invoke(args=["rules", "import", str(file)])

    assert done.exit_code == 1
    assert "nothing imported" in done.output
    assert not (tmp_path / "pwned").exists()


def test_an_import_follows_no_name_out_of_its_folder(app: Flask, tmp_path: Path) -> None:
    """A file's name is where it was found, and nothing in a file names another."""
    folder = tmp_path / "rules"
    folder.mkdir()
    secret = tmp_path / "secret.yml"
    secret.write_text("hunter2: [")
    (folder / "rule.yml").write_text(
        "name: ../../etc/passwd\ndetails: x\nuuid: ../../../x\ndetection: {pattern: ['!include ../secret.yml']}\n"
    )

    done = app.test_cli_runner().invoke(args=["rules", "import", str(folder)])

    assert "hunter2" not in done.output
    assert sorted(path.name for path in tmp_path.rglob("*.yml")) == ["rule.yml", "secret.yml"]


@pytest.mark.parametrize("path", ["/static/../accounts.json", "/static/%2e%2e/bastion/app.py", "/static/..%2fwsgi.py"])
def test_no_path_leads_out_of_the_files_that_ship(admin: FlaskClient, path: str) -> None:
    assert admin.get(path).status_code in (404, 400)


def limited(database_url: str, instance: Path, rate: int) -> Flask:
    return create_app(database_url=database_url, bastion_instance=instance, bastion_api_rate=rate)


def test_a_token_asks_so_often_and_workers_count_together(database_url: str, instance: Path) -> None:
    workers = [limited(database_url, instance, 12) for _ in range(2)]
    tokens = workers[0].extensions["bastion"].tokens
    mine, other = tokens.create("mine"), tokens.create("other")

    def ask(turn: int, token: str) -> int:
        headers = {"X-API-Key": token}
        return workers[turn % 2].test_client().get("/api/v1/flow/list", headers=headers).status_code

    assert [ask(turn, mine) for turn in range(4)] == [200, 200, 429, 429]
    assert ask(0, other) == 200
    answer = workers[1].test_client().get("/api/v1/flow/list", headers={"X-API-Key": mine})
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert answer.get_json()["error"] == "too_many_requests"


def test_a_limiter_that_fails_lets_texts_be_judged(database_url: str, instance: Path) -> None:
    app = limited(database_url, instance, 1)
    token = app.extensions["bastion"].tokens.create("mine")
    (instance / "state.db").mkdir()

    for _ in range(3):
        headers = {"X-API-Key": token}
        assert app.test_client().get("/api/v1/flow/list", headers=headers).status_code == 200
    app.config["WTF_CSRF_ENABLED"] = False
    assert app.test_client().post("/login", data={"name": "ada", "password": "x"}).status_code == 503


def test_random_requests_find_no_fault(app: Flask, parts: Runtime, session: Session) -> None:
    """At every address that takes a form, and every list: random fields, values, queries and types."""
    stored_event(session, rules=(stored_rule(session),))
    chance = random.Random(SEED)
    admin = log_in_as(app, Role.ADMIN)
    parts.accounts.add("second", Role.ADMIN, "seven quiet lighthouse keepers")
    # Hashing and trying out patterns is paid for elsewhere; ten thousand of each would take an hour.
    spared = {"/accounts/password", "/rules/new", "/rules/<int:rule_id>/edit", "/logout", "/accounts/", "/login"}
    routes = [
        route
        for route in app.url_map.iter_rules()
        if not route.endpoint.startswith(("api.", "static", "bootstrap", "single_sign_on"))
    ]
    names = ["name", "role", "scopes", "source", "expires", "q", "before", "page", "from", "to", "triggers", "version"]
    names += ["prompt", "flow", "direction", "disposition", "note", "ids", "limit", "since", "rule", "next", "uuid"]
    values = ["", "0", "1", "-1", "9" * 30, "a", "😀", "é", "<b>", "'", '"', "\\", "%", "*", "a:b", "x" * 300]
    values += ["2026-11-23", "../..", "true", "null", "[]", "{}", "status:block", "(", "\u202e", "\r\n", "1e9", "NaN"]

    counts: dict[int, int] = {}
    for number in range(RANDOM_REQUESTS):
        route = chance.choice(routes)
        path = re.sub(r"<[\w:]*>", lambda _: chance.choice(["1", "2", "999", "x", "%F0%9F%98%80"]), route.rule)
        method = chance.choice(sorted((route.methods or set()) - {"OPTIONS", "HEAD"}))
        fields = [(chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(4))]
        query = [(chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(3))]
        if method == "POST" and route.rule in spared and number % 50:
            continue
        kind = chance.choice(["application/x-www-form-urlencoded", "multipart/form-data"])
        data = (
            {name: [value for key, value in fields if key == name] for name, _ in fields} if method == "POST" else None
        )
        with admin.open(
            path, method=method, query_string=dict(query), data=data or None, content_type=kind if data else None
        ) as answer:
            counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (method, path, query, fields)
        if answer.status_code == 302 and answer.headers.get("Location", "").startswith("/login"):
            admin = log_in_as(app, Role.ADMIN)
    assert {200, 302, 404, 422} <= set(counts), json.dumps(counts)


def test_a_form_has_so_many_fields_and_no_more(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    many = {"content_type": "application/x-www-form-urlencoded"}

    assert client.post("/login", data="a=&" * 2_000_000, **many).status_code == 413
    assert client.post("/login", data="a=&" * 1_000 + "name=ada&password=x", **many).status_code == 401


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64 + ".example", "a b", "[::1", "%"])
def test_a_host_that_is_none_gets_a_page_without_links_or_a_refusal(client: FlaskClient, host: str) -> None:
    answer = client.get("/login", environ_overrides={"HTTP_HOST": host})

    assert answer.status_code in {200, 400, 404}
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "target", ["//[", "http://[", "//\u2100", "/\\\\evil.example", "//evil.example", "javascript:x"]
)
def test_a_zone_leads_back_to_a_page_of_ours(client: FlaskClient, app: Flask, target: str) -> None:
    reader = log_in_as(app, Role.VIEWER)

    answer = reader.post("/zone", data={"chosen": "UTC", "next": target})

    assert (answer.status_code, answer.location) == (302, "/")
