"""What is in the instance folder is its owner's alone, whatever the umask and however it was before."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastion import create_app
from bastion.errors import SettingsError
from bastion.extensions import db
from bastion.schema import init_db
from bastion.services.people.accounts import Role
from tests.conftest import PASSWORD


@pytest.fixture
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in folder.iterdir()
        if path.suffix != ".migrating" and path.is_file()
    }


def fill(instance: Path) -> None:
    app = create_app(bastion_instance=instance)
    parts = app.extensions["bastion"]
    with app.app_context():
        init_db(auto_migrate=True)
        parts.accounts.add("ada", Role.VIEWER, PASSWORD)
        parts.tokens.find(parts.tokens.create("chat"))
        db.session.execute(db.text("SELECT 1 FROM rules"))
        found = modes(instance)
        db.session.remove()
        db.engine.dispose()
    assert found, "nothing was made"
    assert {"bastion.db", "bastion.db-wal", "bastion.db-shm", "accounts.json", "tokens.json"} <= set(found)
    assert {"secret_key", "audit.log", "state.db", "state.db-wal"} <= set(found)
    assert {name: oct(mode) for name, mode in found.items() if mode != 0o600} == {}
    assert stat.S_IMODE(instance.stat().st_mode) == 0o700


@pytest.mark.usefixtures("_open_umask")
def test_all_that_is_made_is_private_from_the_beginning(tmp_path: Path) -> None:
    fill(tmp_path / "instance")


@pytest.mark.usefixtures("_open_umask")
def test_what_was_open_to_others_is_closed(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    fill(instance)
    instance.chmod(0o755)
    for path in instance.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    (instance / "accounts.json").unlink()
    (instance / "tokens.json").unlink()

    fill(instance)


@pytest.mark.parametrize("content", ["", "a", "a" * 64, "\xff" * 64])
def test_a_session_key_that_can_be_guessed_is_refused(instance: Path, content: str) -> None:
    instance.mkdir()
    (instance / "secret_key").write_text(content, "latin-1")

    with pytest.raises(SettingsError, match=r"SECRET_KEY: .*secret_key holds no key of 32 random characters"):
        create_app(bastion_instance=instance)
