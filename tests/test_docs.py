"""The docs name every setting, command and route there is, and no other."""

import json
import re
from pathlib import Path

from click import Group
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.services.setup import load_shipped_rules
from bastion.settings import Settings
from tests.compiled import share_compiled_rules
from tests.conftest import ROOT


def doc(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def test_every_setting_is_described() -> None:
    described = re.findall(r"^\| `([A-Z_]+)` \|", doc("settings"), re.MULTILINE)

    assert sorted(described) == sorted(field.upper() for field in Settings.model_fields)


def test_every_route_of_the_api_is_described(app: Flask) -> None:
    described = set(re.findall(r"^\| `(GET|POST|PUT|DELETE|PATCH) (\S+)` \|", doc("api"), re.MULTILINE))

    routes = set()
    for route in app.url_map.iter_rules():
        if route.endpoint.startswith(("api.", "probes.")):
            path = re.sub(r"<int:", "<", route.rule)
            routes |= {(method, path) for method in (route.methods or set()) - {"HEAD", "OPTIONS"}}
    assert described == routes


def test_every_command_is_described(app: Flask) -> None:
    described = set(re.findall(r"^\| `flask ([a-z ]+[a-z])(?: [A-Z_]+)*` \|", doc("cli"), re.MULTILINE))

    commands = {"db upgrade"}  # Flask-Migrate's others are named in a cell.
    for name, command in app.cli.commands.items():
        if name != "db":
            commands |= {f"{name} {part}" for part in command.commands} if isinstance(command, Group) else {name}
    assert described == commands


def test_the_readmes_commands_are_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    for name in ("README.md", "docs/cli.md", "docs/settings.md"):
        used = re.findall(r"^(?:\$ )?make ([a-z-]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert set(used) <= targets
    assert {"run", "test"} <= set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8")))


def test_the_readmes_request_gets_the_answer_that_it_shows(api: FlaskClient, session: Session, instance: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    sent = re.search(r"-d '(.+)'", readme)
    shown = re.search(r"```json\n(.+?)```", readme, re.DOTALL)
    assert sent
    assert shown
    share_compiled_rules(instance)
    load_shipped_rules(session)
    session.commit()

    answer = api.post("/api/v1/flow/run", json=json.loads(sent[1])).get_json()

    expected = json.loads(shown[1])
    assert answer | {"event_id": 0, "event_uid": ""} == expected | {"event_id": 0, "event_uid": ""}
    assert answer.keys() == expected.keys()
