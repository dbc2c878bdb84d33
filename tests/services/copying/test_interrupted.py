"""A copy that was interrupted goes on where it was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from bastion.services.copying import BATCH_ROWS, CopyError
from bastion.settings import sync_database_url
from tests.conftest import ROOT, clean_environment
from tests.databases import Databases
from tests.services.copying.contents import EVENT, Told, connected, content, copy, counts, fill, insert, many

EVENTS = BATCH_ROWS + 2000
BOTH_WAYS = pytest.mark.parametrize(("kind", "other_kind"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])


def kill_a_copy(source: str, target: str, events: int) -> None:
    urls = map(sync_database_url, (source, target))
    command = [sys.executable, "-m", "tests.services.copying.killed", *urls, str(events)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@BOTH_WAYS
def test_a_copy_that_was_killed_goes_on(source: str, target: str, instance: Path) -> None:
    many(source, EVENTS)
    kill_a_copy(source, target, BATCH_ROWS)
    assert counts(target) == {"rules": 1, "events": BATCH_ROWS, "rule_triggers": 0}

    copied = copy(source, target, instance)

    assert content(target) == content(source)
    assert [(table.new, table.content.rows) for table in copied] == [(0, 1), (2000, EVENTS), (EVENTS, EVENTS)]


@BOTH_WAYS
def test_a_finished_copy_has_nothing_left_to_do(source: str, target: str, instance: Path) -> None:
    fill(source)
    first = copy(source, target, instance)
    told = Told()

    again = copy(source, target, instance, told)

    assert [table.new for table in again] == [0, 0, 0]
    assert [table.content for table in again] == [table.content for table in first]
    assert not [label for label, _rows in told.pieces if label.startswith("Copying")]


@BOTH_WAYS
def test_what_came_to_the_source_since_follows(source: str, target: str, instance: Path) -> None:
    insert(source, "events", EVENT | {"id": 1})
    copy(source, target, instance)
    insert(source, "events", EVENT | {"id": 2, "uid": "later"})

    assert [table.new for table in copy(source, target, instance)] == [0, 1, 0]
    assert content(target) == content(source)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("UPDATE rules SET enabled = NOT enabled WHERE id = 7", "rules, id 7 differs in enabled"),
        ("UPDATE events SET prompt = NULL WHERE prompt = ''", r"events, id \d+ differs in prompt"),
        ("UPDATE rule_triggers SET note = 'a' WHERE id = 3", "rule_triggers, id 3 differs in note"),
        ("DELETE FROM rule_triggers WHERE id = 3", "rule_triggers, id 3 is in FROM_URL alone"),
        (
            "INSERT INTO events (id, uid, status, flow_name) VALUES (5, 'x', 'x', 'x')",
            "events, id 5 is in TO_URL alone",
        ),
    ],
)
def test_a_target_with_something_else_is_refused_and_stays_as_it_is(
    source: str, target: str, statement: str, difference: str, instance: Path
) -> None:
    fill(source)
    copy(source, target, instance)
    with connected(target) as connection:
        connection.execute(sa.text(statement))
    before = content(target)

    with pytest.raises(CopyError, match=f"^TO_URL does not hold the beginning of a copy of FROM_URL: {difference}"):
        copy(source, target, instance)

    assert content(target) == before


def test_a_target_with_events_of_its_own_is_refused(databases: Databases, source: str, instance: Path) -> None:
    fill(source)
    target = databases.migrated("sqlite")
    many(target, 3)
    before = content(target)

    with pytest.raises(CopyError, match="events, id 1 differs in prompt, uid"):
        copy(source, target, instance)

    assert content(target) == before
