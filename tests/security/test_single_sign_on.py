"""Signing on at a real provider (oidc-provider-mock), over real HTTP."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from bastion import create_app
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from bastion.web import single_sign_on
from tests.conftest import PASSWORD
from tests.security.conftest import Entries


class Provider:
    """A running provider that takes a code only with the verifier of its challenge."""

    def __init__(self, url: str) -> None:
        self.url = url

    def has(self, subject: str, **claims: Any) -> None:
        assert requests.put(f"{self.url}/users/{subject}", json=claims, timeout=10).status_code == 204

    def agrees(self, address: str, subject: str) -> str:
        """Where the provider sends the browser when that user agrees."""
        answer = requests.post(address, data={"sub": subject}, allow_redirects=False, timeout=10)
        return answer.headers["Location"]


@contextmanager
def running() -> Iterator[Provider]:
    script = Path(__file__).with_name("provider.py")
    command = [sys.executable, "-W", "ignore", str(script)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield Provider(f"http://localhost:{int(process.stdout.readline())}")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


def signing_on_at(issuer: str, database_url: str, instance: Path) -> Flask:
    app = create_app(
        database_url=database_url,
        bastion_instance=instance,
        bastion_oidc_issuer=issuer,
        bastion_oidc_client_id="bastion",
        bastion_oidc_client_secret="of the client",
        bastion_viewer_groups="staff",
        bastion_analyst_groups="soc,soc-2",
        bastion_admin_groups="root",
    )
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture
def app(provider: Provider, database_url: str, instance: Path) -> Flask:
    return signing_on_at(provider.url, database_url, instance)


def sign_on(client: FlaskClient, provider: Provider, subject: str, target: str = "/rules/") -> Any:
    sent = client.get("/login/sso/", query_string={"next": target}).headers["Location"]
    back = urlsplit(provider.agrees(sent, subject))
    return client.get(f"{back.path}?{back.query}")


def test_a_group_makes_a_role_and_the_way_there_is_guarded(
    app: Flask, provider: Provider, parts: Runtime, audited: Entries
) -> None:
    provider.has("u1", preferred_username="ada", groups=["staff", "soc"])
    client = app.test_client()
    asked = parse_qs(urlsplit(client.get("/login/sso/").headers["Location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["nonce"][0]) >= 20
    assert len(asked["state"][0]) >= 20

    answer = sign_on(client, provider, "u1")

    assert answer.headers["Location"] == "/rules/"
    assert client.get("/accounts/password").status_code == 200
    account = parts.accounts.get("ada")
    assert account is not None
    assert account.role is Role.ANALYST
    assert [entry["action"] for entry in audited()] == ["account.created", "sign_in"]
    assert parts.accounts.log_in("ada", "") is None, "it has no password"


def test_groups_are_read_again_at_each_login(app: Flask, provider: Provider, parts: Runtime) -> None:
    provider.has("u1", preferred_username="ada", groups=["root"])
    sign_on(app.test_client(), provider, "u1")
    assert parts.accounts.all()["ada"].role is Role.ADMIN

    provider.has("u1", preferred_username="renamed", groups="staff")
    client = app.test_client()
    sign_on(client, provider, "u1")
    assert list(parts.accounts.all()) == ["ada"]
    assert parts.accounts.all()["ada"].role is Role.VIEWER
    assert client.get("/rules/new").status_code == 403


@pytest.mark.parametrize("groups", [[], ["guests"], None])
def test_who_is_in_no_group_is_nobody(app: Flask, provider: Provider, parts: Runtime, groups: Any) -> None:
    provider.has("u2", preferred_username="eve", **({"groups": groups} if groups is not None else {}))
    client = app.test_client()

    assert sign_on(client, provider, "u2").headers["Location"] == "/login"
    assert client.get("/rules/").status_code == 302
    assert not parts.accounts.any()


def test_a_disabled_account_and_somebody_elses_name_are_refused(app: Flask, provider: Provider, parts: Runtime) -> None:
    parts.accounts.add("admin", Role.ADMIN, PASSWORD)
    provider.has("u3", preferred_username="admin", groups=["root"])
    client = app.test_client()
    assert sign_on(client, provider, "u3").headers["Location"] == "/login"
    assert client.get("/rules/").status_code == 302

    provider.has("u1", preferred_username="ada", groups=["root"])
    sign_on(client, provider, "u1")
    assert client.get("/accounts/").status_code == 200
    parts.accounts.disable("ada")
    assert client.get("/accounts/").status_code == 302
    assert sign_on(client, provider, "u1").headers["Location"] == "/login"


def test_another_browsers_answer_and_an_answer_twice_are_refused(app: Flask, provider: Provider) -> None:
    provider.has("u1", preferred_username="ada", groups=["soc"])
    victim, attacker = app.test_client(), app.test_client()
    back = urlsplit(provider.agrees(attacker.get("/login/sso/").headers["Location"], "u1"))
    callback = f"{back.path}?{back.query}"

    assert victim.get(callback).headers["Location"] == "/login"
    assert victim.get("/rules/").status_code == 302
    assert attacker.get(callback).headers["Location"] == "/"
    assert app.test_client().get(callback).headers["Location"] == "/login"


def test_a_code_without_its_verifier_is_worth_nothing(app: Flask, provider: Provider) -> None:
    """The provider refuses it: so what the other tests pass is PKCE."""
    provider.has("u1", preferred_username="ada", groups=["soc"])
    client = app.test_client()
    back = urlsplit(provider.agrees(client.get("/login/sso/").headers["Location"], "u1"))
    with client.session_transaction() as session:
        key = next(name for name in session if name.startswith("_state_"))
        session[key] = {**session[key], "data": {**session[key]["data"], "code_verifier": "x" * 48}}

    assert client.get(f"{back.path}?{back.query}").headers["Location"] == "/login"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_on_leads_nowhere_else(app: Flask, provider: Provider, target: str) -> None:
    provider.has("u1", preferred_username="ada", groups=["soc"])

    assert sign_on(app.test_client(), provider, "u1", target).headers["Location"] == "/"


def test_a_token_for_another_nonce_or_client_is_refused(app: Flask, provider: Provider) -> None:
    provider.has("u1", preferred_username="ada", groups=["soc"])
    client = app.test_client()
    with client.session_transaction() as session:
        assert not session
    sent = client.get("/login/sso/").headers["Location"]
    back = urlsplit(provider.agrees(sent, "u1"))
    with client.session_transaction() as session:
        key = next(name for name in session if name.startswith("_state_"))
        session[key] = {**session[key], "data": {**session[key]["data"], "nonce": "another"}}
    assert client.get(f"{back.path}?{back.query}").headers["Location"] == "/login"

    sent = client.get("/login/sso/").headers["Location"]
    back = urlsplit(provider.agrees(sent, "u1"))
    object.__setattr__(app.extensions["bastion"].settings, "bastion_oidc_client_id", "another")
    assert client.get(f"{back.path}?{back.query}").headers["Location"] == "/login"


def test_an_account_is_one_providers(
    app: Flask, provider: Provider, parts: Runtime, database_url: str, instance: Path
) -> None:
    """Another provider calls somebody else by the same ``sub``, and somebody else by the same name."""
    provider.has("7", preferred_username="ada", groups=["root"])
    sign_on(app.test_client(), provider, "7")
    with running() as other:
        client = signing_on_at(other.url, database_url, instance).test_client()
        other.has("7", preferred_username="eve", groups=["staff"])
        assert sign_on(client, other, "7").headers["Location"] == "/rules/"
        assert client.get("/accounts/").status_code == 403, "she is Ada now"
        other.has("8", preferred_username="ada", groups=["root"])
        assert sign_on(client, other, "8").headers["Location"] == "/login"

    issuers = {name: (entry.subject, entry.issuer) for name, entry in parts.accounts.all().items()}
    assert issuers == {"ada": ("7", provider.url), "eve": ("7", other.url)}
    assert sign_on(app.test_client(), provider, "7").headers["Location"] == "/rules/"


def test_a_provider_that_is_away_leaves_passwords(database_url: str, instance: Path) -> None:
    client = signing_on_at("http://127.0.0.1:9", database_url, instance).test_client()

    assert client.get("/login/sso/").headers["Location"] == "/login"
    assert "Single sign-on" in client.get("/login").get_data(as_text=True)


def test_a_silent_provider_is_not_waited_for_by_everybody(
    database_url: str, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_sign_on, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0.2)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = signing_on_at(url, database_url, instance).test_client()
        assert client.get("/login/sso/").headers["Location"] == "/login"
        silent.accept()[0].close()

        for _ in range(3):
            assert client.get("/login/sso/").headers["Location"] == "/login"
        assert "Try again in 5 seconds" in client.get("/login").get_data(as_text=True)
        with pytest.raises(TimeoutError):
            silent.accept()


def test_whoever_answers_for_the_provider_once_is_not_believed_for_good(
    app: Flask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = app.extensions["bastion"].settings.bastion_oidc_issuer
    object.__setattr__(app.extensions["bastion"].settings, "bastion_oidc_issuer", "https://another.example")
    assert app.test_client().get("/login/sso/").headers["Location"] == "/login"
    object.__setattr__(app.extensions["bastion"].settings, "bastion_oidc_issuer", issuer)
    client = app.extensions["authlib.integrations.flask_client"].create_client("bastion")

    assert "_loaded_at" not in client.server_metadata
    assert app.test_client().get("/login/sso/").headers["Location"].startswith(provider.url)


def test_without_a_provider_there_is_no_single_sign_on(database_url: str, instance: Any) -> None:
    client = create_app(database_url=database_url, bastion_instance=instance).test_client()

    assert client.get("/login/sso/").status_code == 404
    assert client.get("/login/sso/callback?code=x&state=y").status_code == 404
    assert "Single sign-on" not in client.get("/login").get_data(as_text=True)
