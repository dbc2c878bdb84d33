"""``flask database``."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from bastion.settings import sync_database_url
from tests.cli.conftest import Run
from tests.conftest import ROOT, clean_environment
from tests.databases import Databases
from tests.services.copying.contents import connected, content, counts, fill, many

BIN = Path(sys.executable).parent
WAIT_SECONDS = 60


@pytest.fixture
def kind() -> str:
    """The database that the application itself is set to, which has no part in this."""
    return "sqlite"


def test_a_database_is_copied_there_and_back(run: Run, databases: Databases, tmp_path: Path) -> None:
    here, there, back = databases.migrated("sqlite"), databases.blank("postgresql"), f"sqlite:///{tmp_path}/back.db"
    fill(here)

    first = run("database", "copy", here.replace("sqlite:", "sqlite+aiosqlite:"), there)
    second = run("database", "copy", there.replace("postgresql:", "postgresql+asyncpg:"), back)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert first.output.startswith("TO_URL holds nothing yet: bringing it to this version's schema.\n")
    *tables, end = second.output.splitlines()[-4:]
    assert first.output.splitlines()[-4:] == [*tables, end]
    assert [table.rpartition(" ")[0].split() for table in tables] == [
        ["rules", "2", "rows,", "2", "of", "them", "new", "sha256"],
        ["events", "3", "rows,", "3", "of", "them", "new", "sha256"],
        ["rule_triggers", "2", "rows,", "2", "of", "them", "new", "sha256"],
    ]
    assert end == "Both databases hold the same."
    assert content(back) == content(there) == content(here)
    assert (tmp_path / "back.db").stat().st_mode & 0o077 == 0, "prompts are nobody else's to read"


@pytest.mark.parametrize("wrong", ["FROM_URL", "TO_URL"])
@pytest.mark.parametrize(
    ("url", "wants"),
    [
        ("", "wants a URL"),
        ("nonsense", "wants a URL such as"),
        ("mysql://user:s3cret@host/name", "names the driver 'mysql'"),
        ("postgresql://user:s3cret@host", "wants a database's name"),
        ("postgresql://user:s3cret@host:port/name", "wants a URL such as"),
        ("postgresql://user:x@y:s3cret@host/name", "wants"),
        ("sqlite:///:memory:", "wants a file"),
    ],
)
def test_a_wrong_url_is_named_and_not_repeated(run: Run, tmp_path: Path, wrong: str, url: str, wants: str) -> None:
    good = f"sqlite:///{tmp_path}/x.db"

    done = run("database", "copy", *((url, good) if wrong == "FROM_URL" else (good, url)))

    assert done.exit_code == 2
    assert f"Invalid value for '{wrong}': {wants}" in " ".join(done.output.split())
    assert "s3cret" not in done.output
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("wrong", ["FROM_URL", "TO_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@127.0.0.1:1/name",
        "postgresql://user@127.0.0.1:1/name?password=s3cret",
        "postgresql://user:s3cret@127.0.0.1:1/name?no_such_option=1",
    ],
)
def test_a_server_that_does_not_answer_is_named_without_the_password(
    run: Run, databases: Databases, wrong: str, url: str
) -> None:
    good = databases.migrated("sqlite")

    done = run("database", "copy", *((url, good) if wrong == "FROM_URL" else (good, url)))

    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert done.output.startswith(f"Error: {wrong}: the database cannot be used: ")
    assert "s3cret" not in done.output


def test_a_refusal_is_a_single_line(databases: Databases, instance: Path) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated("sqlite")
    many(source, 300)
    many(target, 250)
    with connected(target) as connection:
        connection.execute(sa.text("UPDATE events SET prompt = '' WHERE id = 50"))

    printed, told = start("database", "copy", source, target, instance=instance).communicate(timeout=WAIT_SECONDS)

    assert printed == ""
    assert told == (
        "Error: TO_URL does not hold the beginning of a copy of FROM_URL: events, id 50 differs in prompt. "
        "Nothing was changed: name an empty database\n"
    )


def test_ctrl_c_stops_with_a_sentence_and_the_next_copy_goes_on(run: Run, databases: Databases, instance: Path) -> None:
    source, target = databases.migrated("postgresql"), databases.migrated("sqlite")
    many(source, 300)

    # The copy comes to the triggers, and has to wait there.
    with held(source, "LOCK TABLE rule_triggers IN ACCESS EXCLUSIVE MODE"):
        process = start("database", "copy", source, target, instance=instance)
        wait_until(lambda: waits(source))
        process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=WAIT_SECONDS)

    assert process.returncode == 130
    assert printed == (
        "",
        "\nStopped. What was copied stays in TO_URL: run the same command again, and it goes on from there.\n",
    )
    assert counts(target) == {"rules": 1, "events": 300, "rule_triggers": 0}
    assert "300 rows, 0 of them new" in run("database", "copy", source, target).output
    assert content(target) == content(source)


def test_a_command_that_was_killed_goes_on(run: Run, databases: Databases, instance: Path) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated("postgresql")
    many(source, 300)

    # The copy's own event of this id has to wait for what becomes of this one.
    with held(target, "INSERT INTO events (id, uid, status, flow_name) VALUES (200, 'x', 'x', 'x')"):
        process = start("database", "copy", source, target, instance=instance)
        wait_until(lambda: waits(target))
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)
    assert counts(target) == {"rules": 1, "events": 0, "rule_triggers": 0}

    done = run("database", "copy", source, target)

    assert "rules          1 rows, 0 of them new" in done.output
    assert content(target) == content(source)


def start(*arguments: str, instance: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [BIN / "flask", *arguments],
        cwd=ROOT,
        env=clean_environment(BASTION_INSTANCE=str(instance)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def held(url: str, statement: str) -> Iterator[None]:
    """What the statement locks, until the end; then as if it had not been."""
    engine = sa.create_engine(sync_database_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
        yield
        connection.rollback()


def waits(url: str) -> bool:
    """Whether a copy waits for a lock in this database."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bastion copy' AND wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )
    with connected(url) as connection:
        return bool(connection.scalar(waiting))


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
