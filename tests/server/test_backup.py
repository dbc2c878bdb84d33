"""``deploy/backup.sh`` and ``deploy/restore.sh``; ``make restore-drill`` runs them under load, on both databases."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from bastion.firewall.recording import EventRecord
from bastion.firewall.spool import Spool
from bastion.models import new_uid, utc_now
from tests.conftest import ROOT
from tests.databases import migrate


def run(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.environ["PATH"]
    return subprocess.run(
        ["sh", ROOT / "deploy" / name, folder],
        env={"PATH": path, **environment},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """An instance folder with AIDR Bastion's name for the database in it, and one event that waits."""
    instance = tmp_path / "one"
    instance.mkdir()
    migrate(f"sqlite:///{instance}/aidr.db", instance)
    (instance / "tokens.json").write_text("{}")
    Spool(instance / "spool", 1 << 24).append([EventRecord({"uid": new_uid(), "timestamp": utc_now()})])
    return instance


def test_a_database_of_any_name_comes_back_with_what_waits(original: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{original}/aidr.db"
    done = run("backup.sh", tmp_path / "backup", DATABASE_URL=url, BASTION_INSTANCE=str(original))
    assert done.returncode == 0, done.stderr

    restored = tmp_path / "two"
    url = f"sqlite:///{restored}/aidr.db"
    done = run("restore.sh", tmp_path / "backup", DATABASE_URL=url, BASTION_INSTANCE=str(restored))

    assert done.returncode == 0, done.stderr
    assert sqlite3.connect(restored / "aidr.db").execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert (restored / "tokens.json").read_text() == "{}"
    (waits,) = (original / "spool").glob("*.jsonl")
    assert (restored / "spool" / waits.name).read_bytes() == waits.read_bytes()
    again = run("restore.sh", tmp_path / "backup", DATABASE_URL=url, BASTION_INSTANCE=str(restored))
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_a_file_that_is_there_is_not_written_over(original: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{original}/aidr.db"
    assert run("backup.sh", tmp_path / "backup", DATABASE_URL=url, BASTION_INSTANCE=str(original)).returncode == 0
    there = tmp_path / "there.db"
    there.write_text("precious")

    for prefix in ("sqlite", "sqlite+pysqlite"):
        url, restored = f"{prefix}:///{there}", tmp_path / "two"
        done = run("restore.sh", tmp_path / "backup", DATABASE_URL=url, BASTION_INSTANCE=str(restored))
        assert (done.returncode, "is there already" in done.stderr) == (1, True)
        assert there.read_text() == "precious"
        assert not restored.exists()


def test_no_other_file_is_taken_for_the_databases(original: Path, tmp_path: Path) -> None:
    """A database by the name of ``audit`` is not a reason to leave the audit log behind."""
    (original / "aidr.db").rename(original / "audit")
    (original / "audit.log").write_text("kept")
    url = f"sqlite:///{original}/audit"

    assert run("backup.sh", tmp_path / "backup", DATABASE_URL=url, BASTION_INSTANCE=str(original)).returncode == 0

    names = subprocess.run(
        ["tar", "-tf", tmp_path / "backup" / "instance.tar"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "./audit.log" in names
    assert "./audit" not in names


def test_what_waits_is_kept_before_the_database(original: Path, tmp_path: Path) -> None:
    """An event that goes from the spool into the database meanwhile must not be in neither."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3"
    python.write_text(f"#!/bin/sh\nrm {original}/spool/*.jsonl\n")
    python.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    url = f"sqlite:///{original}/aidr.db"

    done = run("backup.sh", tmp_path / "backup", PATH=path, DATABASE_URL=url, BASTION_INSTANCE=str(original))

    assert done.returncode == 0, done.stderr
    kept = subprocess.run(["tar", "-tf", tmp_path / "backup" / "instance.tar"], check=True, capture_output=True)
    assert b".jsonl" in kept.stdout


@pytest.mark.parametrize(
    ("url", "told", "password"),
    [
        ("postgresql+psycopg2://ada:p%40ss:w@db:5432/aidr", "postgresql://ada@db:5432/aidr", "p@ss:w"),
        ("postgres://ada@db/aidr?sslmode=require", "postgresql://ada@db/aidr?sslmode=require", ""),
        ("postgresql:///aidr", "postgresql:///aidr", ""),
    ],
)
def test_the_password_is_on_no_command_line(original: Path, tmp_path: Path, url: str, told: str, password: str) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("pg_dump", "pg_restore"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "$@ and $PGPASSWORD" > {tmp_path}/{name}.told\n')
        program.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    backup = tmp_path / "backup"

    for name, instance in (("backup.sh", original), ("restore.sh", tmp_path / "two")):
        done = run(name, backup, PATH=path, DATABASE_URL=url, BASTION_INSTANCE=str(instance))
        assert done.returncode == 0, done.stderr

    for name in ("pg_dump", "pg_restore"):
        arguments, _, given = (tmp_path / f"{name}.told").read_text().strip("\n").partition(" and ")
        assert f"--dbname={told}" in arguments
        assert given == password
