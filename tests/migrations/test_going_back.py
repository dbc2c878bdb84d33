"""What a downgrade takes away is named first, and a person is asked."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import ROOT, clean_environment
from tests.databases import Databases
from tests.migrations.conftest import Migrate
from tests.migrations.support import BIN, HEAD, content, fill, reflected, revision_of

VIEWS = "010_rule_views"


@pytest.fixture
def filled(engine: sa.Engine, migrate: Migrate) -> sa.Engine:
    migrate("upgrade", VIEWS)
    fill(engine, rows=3)
    engine.dispose()
    return engine


def on_a_terminal(url: str, instance: Path, answer: bytes) -> tuple[int, str]:
    """The exit code of going back by one, and all that the terminal shows."""
    environment = clean_environment(DATABASE_URL=url, BASTION_INSTANCE=str(instance))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [BIN / "flask", "db", "downgrade", "-1"], cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
            if shown.endswith(b"Go on? [y/N]: "):
                os.write(ours, answer)
    except OSError:
        # How Linux says that nobody holds the other end any more.
        pass
    os.close(ours)
    return process.wait(), shown.decode()


def test_on_a_terminal_no_changes_nothing(filled: sa.Engine, blank: str, instance: Path) -> None:
    code, shown = on_a_terminal(blank, instance, b"n\n")

    assert (code, revision_of(filled)) == (1, VIEWS)
    assert shown.index(f"{VIEWS}: rules.views, 3 values") < shown.index("Go on?") < shown.index("nothing was changed")
    assert not (instance / "backups").exists()


def test_on_a_terminal_yes_goes_on(filled: sa.Engine, blank: str, instance: Path) -> None:
    code, shown = on_a_terminal(blank, instance, b"y\n")

    assert code == 0, shown
    assert revision_of(filled) == "009_list_indexes"


def test_in_a_pipe_nobody_is_asked_and_only_losses_are_named(filled: sa.Engine, migrate: Migrate) -> None:
    with filled.begin() as connection:
        connection.execute(sa.text("UPDATE rule_triggers SET note = NULL, spans = NULL WHERE id > 1"))
        connection.execute(sa.text("UPDATE rule_triggers SET disposition = NULL"))

    shown = migrate("downgrade", "004_event_identity")

    named = re.findall(r"^  (.+ values)$", shown, re.MULTILINE)
    assert "005_trigger_evidence: rule_triggers.note, 1 values" in named
    assert "005_trigger_evidence: rule_triggers.action, 3 values" in named
    assert not [line for line in named if "disposition" in line or "events." in line]
    assert shown.index("They will be gone") < shown.index("migrated back to")


def test_a_step_back_that_loses_nothing_says_nothing(filled: sa.Engine, migrate: Migrate) -> None:
    migrate("downgrade", "009_list_indexes")

    assert "gone" not in migrate("downgrade", "005_trigger_evidence")


def test_the_documented_dump_is_the_way_back_on_postgresql(
    databases: Databases, instance: Path, tmp_path: Path
) -> None:
    guide = (ROOT / "docs" / "migrations.md").read_text("utf-8")
    dump, restore = re.search(r"```\n(pg_dump .+)\n(pg_restore .+)\n```", guide).groups()  # type: ignore[union-attr]
    url = databases.migrated("postgresql")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    fill(engine, rows=20)
    held = content(engine, reflected(engine))
    environment = clean_environment(DATABASE_URL=url, BASTION_INSTANCE=str(instance))
    environment["PATH"] = f"{databases.server.bin}:{BIN}:{environment['PATH']}"

    def shell(line: str) -> None:
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, env=environment, capture_output=True)

    shell(dump)
    shell(f"flask --app {ROOT}/wsgi.py db downgrade 002_one_uuid_index")
    assert revision_of(engine) == "002_one_uuid_index"
    shell(restore)

    assert revision_of(engine) == HEAD
    assert content(engine, reflected(engine)) == held
    engine.dispose()
