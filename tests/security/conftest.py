"""What guards requests is no database's business: one kind is enough."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from tests.conftest import PASSWORD

Entries = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def audited(parts: Runtime) -> Entries:
    """What stands in the audit log, oldest first."""

    def read() -> list[dict[str, Any]]:
        if not parts.audit.path.exists():
            return []
        return [json.loads(line) for line in parts.audit.path.read_text("ascii").splitlines()]

    return read


@pytest.fixture
def ada(app: Flask, parts: Runtime) -> FlaskClient:
    """A browser in which the analyst Ada has logged in by the form."""
    parts.accounts.add("ada", Role.ANALYST, PASSWORD)
    client = app.test_client()
    assert log_in(client).status_code == 302
    return client


def log_in(client: FlaskClient, name: str = "ada", password: str = PASSWORD, **more: Any) -> Any:
    return client.post(
        "/login", data={"csrf_token": csrf(client, "/login"), "name": name, "password": password}, **more
    )


def csrf(client: FlaskClient, path: str) -> str:
    """The token in a form of the page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found, path
    return found[1]
