"""What every test may ask for. A test that takes ``app`` or ``database_url`` runs on SQLite and on PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bastion import create_app
from bastion.access import User
from bastion.engine.layers import compile_signs
from bastion.extensions import db
from bastion.runtime import Runtime
from bastion.security.sessions import fresh_session
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Scope
from bastion.settings import Settings
from tests.compiled import compiled_rules
from tests.databases import KINDS, Databases

ROOT = Path(__file__).resolve().parent.parent
WAITING = (
    "tests/browser/",
    "tests/server/",
    "tests/firewall/test_killed",
    "tests/firewall/test_database_away",
    "tests/firewall/test_failover",
)
PASSWORD = "correct horse battery staple"


def pytest_configure() -> None:
    # Before there are workers, so that they share it.
    compiled_rules()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for servers and browsers comes first, and the rest is done meanwhile."""
    items.sort(key=lambda item: not item.path.relative_to(ROOT).as_posix().startswith(WAITING))


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's settings, nor the .env or config.json of the checkout."""
    for name in [*(field.upper() for field in Settings.model_fields)]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(databases: Databases, kind: str) -> str:
    return databases.migrated(kind)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where templates stay compiled from one application to the next."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def app(database_url: str, instance: Path, templates: Path) -> Iterator[Flask]:
    app = create_app(database_url=database_url, bastion_instance=instance)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(templates))
    # What all tests have in common is compiled once, what each adds when it adds it.
    app.extensions["bastion"].firewall.rules._compiler._signs = compile_signs()
    yield app
    app.extensions["bastion"].firewall.rules.stop()
    app.extensions["bastion"].vitals.stop()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def parts(app: Flask) -> Runtime:
    found: Runtime = app.extensions["bastion"]
    return found


@pytest.fixture
def engine(app: Flask) -> Engine:
    """The application's own database engine."""
    with app.app_context():
        return db.engine


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session beside the application's: what the application commits shows after ``expire_all``."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def api(app: Flask, parts: Runtime) -> FlaskClient:
    """A client whose token has every scope."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {parts.tokens.create('test')}"
    return client


def log_in_as(app: Flask, role: Role) -> FlaskClient:
    """A client in a session of an account with that role; forms need no CSRF token from it."""
    accounts = app.extensions["bastion"].accounts
    if accounts.get(role.value) is None:
        accounts.add(role.value, role, PASSWORD)
    account = accounts.get(role.value)
    assert account is not None
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    with client.session_transaction() as stored:
        stored["_user_id"] = User(account).get_id()
        stored["_fresh"] = True
        stored.update(fresh_session())
    return client


@pytest.fixture
def analyst(app: Flask) -> FlaskClient:
    return log_in_as(app, Role.ANALYST)


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    return log_in_as(app, Role.ADMIN)


@pytest.fixture
def scoped(app: Flask, parts: Runtime):  # type: ignore[no-untyped-def]
    """Makes a client whose token has the one scope."""

    def make(scope: Scope) -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_X_API_KEY"] = parts.tokens.create(f"only {scope}", [scope])
        return client

    return make


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment for a process of ours, with no settings but these."""
    ours = {field.upper() for field in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in ours} | settings
