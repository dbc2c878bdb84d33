"""Proxies in front: who is believed about addresses, TLS and users."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bastion import create_app
from bastion.errors import SettingsError
from bastion.services.people.accounts import Role
from bastion.settings import load_settings
from tests.conftest import PASSWORD

USER = {"X-Remote-User": "ada", "X-Remote-Groups": "staff, soc"}


@pytest.fixture
def make(database_url: str, instance: Path) -> Any:
    def made(**settings: Any) -> Flask:
        app = create_app(database_url=database_url, bastion_instance=instance, **settings)
        app.testing = True
        return app

    return made


def proxied(make: Any, **more: Any) -> Flask:
    app: Flask = make(
        bastion_proxy_user_header="X-Remote-User",
        bastion_proxy_groups_header="X-Remote-Groups",
        bastion_proxy_addresses="10.0.0.0/24",
        bastion_viewer_groups="staff",
        bastion_analyst_groups="soc",
        **more,
    )
    return app


def ask(client: FlaskClient, peer: str, path: str = "/accounts/password", **headers: str) -> int:
    return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer}).status_code


def test_a_header_is_believed_from_the_named_addresses_alone(make: Any) -> None:
    app = proxied(make)
    client = app.test_client()

    assert ask(client, "10.0.0.7", **USER) == 200
    assert app.extensions["bastion"].accounts.all()["ada"].role is Role.ANALYST
    assert ask(client, "10.0.1.7", **USER) == 302
    assert ask(client, "10.0.0.7") == 302
    assert ask(client, "::ffff:10.0.0.7", **USER) == 200
    assert ask(client, "10.0.0.7", **{**USER, "X-Remote-Groups": "guests"}) == 302
    assert ask(client, "10.0.0.7", **{**USER, "X-Remote-User": "ada,eve"}) == 302


def test_the_header_says_nothing_unless_it_is_turned_on(make: Any) -> None:
    assert ask(make().test_client(), "10.0.0.7", **USER) == 302


def test_forwarded_addresses_make_nobody_a_proxy(make: Any) -> None:
    client = proxied(make, bastion_proxies=1).test_client()

    assert ask(client, "10.0.1.7", **USER, **{"X-Forwarded-For": "10.0.0.7"}) == 302
    assert ask(client, "10.0.0.7", **USER, **{"X-Forwarded-For": "192.0.2.1"}) == 200


def test_a_user_of_the_proxy_takes_nobodys_name_and_can_be_disabled(make: Any) -> None:
    app = proxied(make)
    accounts = app.extensions["bastion"].accounts
    accounts.add("admin", Role.ADMIN, PASSWORD)
    client = app.test_client()

    assert ask(client, "10.0.0.7", **{**USER, "X-Remote-User": "admin"}) == 302
    assert ask(client, "10.0.0.7", **USER) == 200
    accounts.disable("ada")
    assert ask(client, "10.0.0.7", **USER) == 302
    accounts.enable("ada")
    assert ask(client, "10.0.0.7", "/rules/new", **{**USER, "X-Remote-Groups": "staff"}) == 403, "groups are read anew"


@pytest.mark.parametrize(
    ("proxies", "sent", "believed"),
    [
        (0, "192.0.2.1", "10.9.9.9"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9, 192.0.2.1", "192.0.2.1"),
        (2, "203.0.113.9, 192.0.2.1", "203.0.113.9"),
    ],
)
def test_as_many_proxies_are_believed_as_were_named(make: Any, proxies: int, sent: str, believed: str) -> None:
    app = make(bastion_proxies=proxies)
    https = ", ".join(["https"] * max(1, proxies))
    headers = {"X-Forwarded-For": sent, "X-Forwarded-Proto": https, "X-Forwarded-Host": "evil.example"}
    with app.test_client() as client:
        answer = client.get("/login", headers=headers, environ_overrides={"REMOTE_ADDR": "10.9.9.9"})
        from flask import request

        assert request.remote_addr == believed
        assert request.host == "localhost"
    assert ("Strict-Transport-Security" in answer.headers) is bool(proxies)


def test_named_networks_analyse_without_a_token_and_do_nothing_else(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = make(bastion_anonymous_networks="10.1.0.0/16,2001:db8::/32")
    assert "WITHOUT A TOKEN" in caplog.text
    client = app.test_client()

    def run(peer: str, **headers: str) -> int:
        environ = {"REMOTE_ADDR": peer}
        answer = client.post("/api/v1/flow/run", json={"prompt": "x"}, headers=headers, environ_overrides=environ)
        return answer.status_code

    assert [run("10.1.2.3"), run("2001:db8::5"), run("::ffff:10.1.2.3")] == [200] * 3
    assert [run("10.2.0.1"), run("not an address"), run("10.1.2.3", **{"X-API-Key": "wrong"})] == [401] * 3
    for path in ("/api/v1/rules", "/api/v1/events", "/api/v1/flow/list", "/api/v1/openapi.json"):
        assert client.get(path, environ_overrides={"REMOTE_ADDR": "10.1.2.3"}).status_code == 401
    assert client.post("/api/v1/rules", json={}, environ_overrides={"REMOTE_ADDR": "10.1.2.3"}).status_code == 401
    app.extensions["bastion"].firewall.rules.stop()


def test_by_default_nobody_analyses_without_a_token(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = make().test_client()

    assert client.post("/api/v1/flow/run", json={"prompt": "x"}).status_code == 401
    assert "TOKEN" not in caplog.text


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"BASTION_ANONYMOUS_NETWORKS": "10.0.0.1/8"}, "BASTION_ANONYMOUS_NETWORKS"),
        ({"BASTION_PROXY_USER_HEADER": "X-User", "BASTION_VIEWER_GROUPS": "*"}, "BASTION_PROXY_ADDRESSES"),
        ({"BASTION_PROXY_USER_HEADER": "X-User\r\n"}, "BASTION_PROXY_USER_HEADER"),
        ({"BASTION_OIDC_ISSUER": "https://id.example"}, "BASTION_OIDC_CLIENT_SECRET"),
        ({"BASTION_OIDC_ISSUER": "http://id.example"}, "BASTION_OIDC_ISSUER"),
        ({"BASTION_OIDC_ISSUER": "https://id.example"}, "BASTION_VIEWER_GROUPS"),
        ({"BASTION_PROXIES": "-1"}, "BASTION_PROXIES"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me"}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 64}, "SECRET_KEY"),
        ({"SECRET_KEY": "correct-horse-your-battery-staple-x9"}, "SECRET_KEY"),
    ],
)
def test_what_would_be_unsafe_does_not_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=rf"(?m)^{named}: ") as caught:
        load_settings()
    assert not [value for name, value in variables.items() if name == "SECRET_KEY" and value in str(caught.value)]


def test_who_comes_by_the_proxy_and_who_does_not_is_written(make: Any) -> None:
    app = proxied(make)
    client = app.test_client()
    for _ in range(3):
        ask(client, "10.0.0.7", **USER)
    ask(client, "10.0.1.7", **USER)
    ask(client, "10.0.0.7", **{**USER, "X-Remote-Groups": "guests"})
    app.extensions["bastion"].accounts.disable("ada")
    ask(client, "10.0.0.7", **USER)

    lines = [json.loads(line) for line in app.extensions["bastion"].audit.path.read_text("ascii").splitlines()]
    written = [(line["action"], (line.get("detail") or {}).get("by")) for line in lines]
    assert [one for one in written if one[0].startswith("sign_in")] == [
        ("sign_in", "proxy"),
        *[("sign_in.failed", "proxy")] * 3,
    ]
