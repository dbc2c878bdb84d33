"""Guessing passwords."""

import statistics
import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bastion.runtime import Runtime
from bastion.security.strangers import REFUSALS_NOTED
from bastion.services.limits import LOGIN_FROM_ADDRESS, LOGIN_OF_ACCOUNT, Limits
from bastion.services.people.accounts import Accounts, Role
from tests.conftest import PASSWORD
from tests.security.conftest import Entries, csrf, log_in


def try_as(client: FlaskClient, name: str, password: str, address: str) -> int:
    environ = {"REMOTE_ADDR": address}
    return int(log_in(client, name, password, environ_overrides=environ).status_code)


@pytest.fixture
def _fast(parts: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are compared without the hash: here only counting matters."""
    right = {"ada": PASSWORD, "bob": PASSWORD}
    parts.accounts.add("ada", Role.ANALYST, PASSWORD)
    parts.accounts.add("bob", Role.ANALYST, PASSWORD)
    monkeypatch.setattr(
        type(parts.accounts), "log_in", lambda self, name, given: self.get(name) if right.get(name) == given else None
    )


@pytest.mark.usefixtures("_fast")
@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_an_account_is_guessed_at_ten_times_from_all_addresses(app: Flask, name: str, audited: Entries) -> None:
    client = app.test_client()
    tries = [try_as(client, name, "wrong", f"192.0.2.{number}") for number in range(12)]

    assert tries == [401] * LOGIN_OF_ACCOUNT.burst + [429, 429]
    assert try_as(client, name.upper(), "wrong", "192.0.2.99") == 429, "another spelling of the same name"
    assert try_as(client, "bob", PASSWORD, "192.0.2.100") == 302, "others are not kept out"
    named = {"ada": "ada", "nobody": None}[name]
    failures = [entry for entry in audited() if entry["action"].startswith("sign_in.")]
    assert [entry["action"] for entry in failures[:12]] == ["sign_in.failed"] * 10 + ["sign_in.limited"] * 2
    assert failures[0]["target"]["account"] == named, "an unknown name may be somebody's password"


@pytest.mark.usefixtures("_fast")
def test_an_address_tries_twenty_names_and_a_right_password_costs_nothing(app: Flask) -> None:
    here = "2001:db8:1:2::"
    client = app.test_client()
    for _ in range(30):
        assert try_as(app.test_client(), "bob", PASSWORD, f"{here}1") == 302

    tries = [try_as(client, f"name{number}", "wrong", f"{here}{number + 1:x}") for number in range(21)]

    assert tries == [401] * LOGIN_FROM_ADDRESS.burst + [429]
    assert try_as(client, "bob", PASSWORD, f"{here}ff") == 429, "one IPv6 site is one address"
    assert try_as(client, "bob", PASSWORD, "2001:db8:1:3::1") == 302


@pytest.mark.usefixtures("_fast")
def test_an_address_that_may_not_try_any_more_keeps_nobody_else_out(app: Flask, audited: Entries) -> None:
    client = app.test_client()
    for number in range(LOGIN_FROM_ADDRESS.burst):
        try_as(client, f"name{number}", "wrong", "192.0.2.1")

    tries = [try_as(client, "bob", "wrong", "192.0.2.1") for _ in range(REFUSALS_NOTED.burst + 5)]

    assert set(tries) == {429}
    assert try_as(client, "bob", PASSWORD, "192.0.2.2") == 302
    assert [entry["action"] for entry in audited()].count("sign_in.limited") == REFUSALS_NOTED.burst


@pytest.mark.usefixtures("_fast")
def test_a_limited_login_says_when_to_try_again(app: Flask, parts: Runtime) -> None:
    for _ in range(LOGIN_OF_ACCOUNT.burst):
        parts.limits.take("login by account", "ada", LOGIN_OF_ACCOUNT)

    answer = log_in(app.test_client())

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= LOGIN_OF_ACCOUNT.seconds


def test_limits_outlive_the_process(parts: Runtime, instance: Path) -> None:
    from bastion.services.shared_state import STATE_FILE, SharedState

    for _ in range(LOGIN_OF_ACCOUNT.burst):
        assert not parts.limits.take("login by account", "ada", LOGIN_OF_ACCOUNT)

    again = Limits(SharedState(instance / STATE_FILE))
    assert again.take("login by account", "ada", LOGIN_OF_ACCOUNT)
    assert not again.take("login by account", "bob", LOGIN_OF_ACCOUNT)


def test_an_unknown_name_costs_as_much_time_as_a_wrong_password(instance: Path) -> None:
    """Processor time: the machine's other work is not in it. Medians of pairs that take turns."""
    accounts = Accounts(instance)
    accounts.add("ada", Role.VIEWER, PASSWORD)
    accounts.add("off", Role.ADMIN, PASSWORD)
    accounts.add("on", Role.ADMIN, PASSWORD)
    accounts.disable("off")
    spent: dict[str, list[float]] = {"ada": [], "nobody": [], "off": []}
    for _ in range(25):
        for name, times in spent.items():
            began = time.process_time()
            assert accounts.log_in(name, "wrong" if name != "off" else PASSWORD) is None
            times.append(time.process_time() - began)

    known, unknown, disabled = (statistics.median(times) for times in spent.values())
    assert abs(known - unknown) / known < 0.1
    assert abs(known - disabled) / known < 0.1


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/%0d%0aSet-Cookie:a=b",
        "/\r\nX: y",
        "/\x00",
        "\\/x",
    ],
)
def test_a_login_leads_nowhere_else_and_splits_no_answer(app: Flask, parts: Runtime, target: str) -> None:
    parts.accounts.add("ada", Role.ANALYST, PASSWORD)
    client = app.test_client()
    form = {"csrf_token": csrf(client, "/login"), "name": "ada", "password": PASSWORD, "next": target}

    answer = client.post("/login", data=form)

    location = answer.headers.get("Location", "/")
    assert answer.status_code in (302, 400, 422)
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "\r" not in location
    assert "a=b" not in " ".join(answer.headers.getlist("Set-Cookie"))
