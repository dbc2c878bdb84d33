"""The copy of an SQLite file that is made before it is changed, and the way back to it."""

import re
import resource
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from bastion.errors import SchemaError
from bastion.schema import init_db
from bastion.schema.backups import KEPT, back_up
from tests.conftest import ROOT
from tests.migrations.conftest import Migrate
from tests.migrations.support import HEAD, REVISIONS, command, content, fill, reflected, revision_of, schema


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def folder(instance: Path) -> Path:
    return instance / "backups"


def copies(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def test_upgrades_and_downgrades_copy_the_file_first(migrate: Migrate, engine: sa.Engine, folder: Path) -> None:
    migrate("upgrade", "002_one_uuid_index")
    assert copies(folder) == []
    fill(engine, rows=50)
    before, held = schema(engine), content(engine, reflected(engine))

    upgraded = migrate("upgrade")

    (copy,) = copies(folder)
    assert str(copy) in upgraded
    assert re.fullmatch(r"b\d+-\d{8}T\d{6}\.\d{6}Z-002_one_uuid_index\.db", copy.name)
    kept = sa.create_engine(f"sqlite:///{copy}")
    assert (schema(kept), content(kept, reflected(kept))) == (before, held)
    assert revision_of(kept) == "002_one_uuid_index"
    kept.dispose()
    migrate("downgrade", "-1")
    assert [path.stem.partition("Z-")[2] for path in copies(folder)] == ["002_one_uuid_index", HEAD]


def test_what_changes_nothing_copies_nothing(migrate: Migrate, engine: sa.Engine, folder: Path) -> None:
    migrate("upgrade")
    fill(engine, rows=1)
    for unchanging in (["upgrade"], ["current"], ["check"], ["stamp", "head"], ["history"]):
        migrate(*unchanging)

    assert copies(folder) == []


def test_the_newest_five_stay_and_other_files_too(migrate: Migrate, engine: sa.Engine, folder: Path) -> None:
    folder.mkdir(parents=True)
    stem = Path(str(engine.url.database)).stem
    others = {folder / "notes.txt", folder / f"{stem}2-20250101T000000.000000Z-001_initial.db"}
    for path in others:
        path.touch()
    migrate("upgrade", REVISIONS[0])
    for revision in REVISIONS[1 : KEPT + 3]:
        migrate("upgrade", revision)

    found = set(copies(folder))
    assert others <= found
    assert sorted(path.stem.partition("Z-")[2] for path in found - others) == REVISIONS[2 : KEPT + 2]


def test_the_copy_is_whole_while_others_write(migrate: Migrate, engine: sa.Engine, tmp_path: Path) -> None:
    """A writer between two steps of SQLite's backup would otherwise make it begin anew."""
    migrate("upgrade")
    database = Path(str(engine.url.database))
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("CREATE TABLE ballast (content BLOB)")
        writer.executemany("INSERT INTO ballast VALUES (randomblob(?))", [(1_000_000,)] * 60)
        writer.commit()
        inserted = 0

        def insert(*_arguments: object) -> None:
            nonlocal inserted
            if inserted > 20:
                return
            writer.execute("INSERT INTO ballast VALUES ('late')")
            writer.commit()
            inserted += 1

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("bastion.schema.backups._bar", lambda: _Calling(insert))
            back_up(database, tmp_path / "copies", "now")
    (copy,) = copies(tmp_path / "copies")
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert kept.execute("SELECT count(*) FROM ballast").fetchone() == (60,)
    # As many steps as the size asks for: it never began anew.
    assert 2 <= inserted <= 5


class _Calling:
    """A bar that calls something at each step."""

    def __init__(self, called: object) -> None:
        self._called = called

    def __enter__(self) -> object:
        return self._called

    def __exit__(self, *_error: object) -> None:
        pass


def test_a_folder_that_cannot_be_written_stops_the_migration(
    bare_app: Flask, migrate: Migrate, engine: sa.Engine, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    migrate("upgrade", REVISIONS[0])
    fill(engine, rows=3)
    folder.write_text("a file where the folder should be")

    migrate("upgrade", fails=True)

    assert f"copied to {folder}" in caplog.text
    assert "Nothing was migrated" in caplog.text
    assert revision_of(engine) == REVISIONS[0]
    with bare_app.app_context(), pytest.raises(SchemaError, match="Nothing was migrated"):
        init_db(auto_migrate=True)


def test_a_full_disk_stops_the_migration_and_leaves_no_half_copy(
    migrate: Migrate, engine: sa.Engine, blank: str, instance: Path, folder: Path
) -> None:
    migrate("upgrade", REVISIONS[0])
    fill(engine, rows=2000)
    engine.dispose()
    size = Path(str(engine.url.database)).stat().st_size

    limited = _upgrade_with_files_of_at_most(size // 2, blank, instance)

    assert limited.returncode == 1
    assert "Nothing was migrated" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert copies(folder) == []
    assert revision_of(engine) == REVISIONS[0]
    migrate("upgrade")
    assert len(copies(folder)) == 1


def _upgrade_with_files_of_at_most(size: int, url: str, instance: Path) -> subprocess.CompletedProcess[str]:
    """As on a disk that has room for no more; what is larger already can be read."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return command("flask", url, instance, "db", "upgrade")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_documented_way_back_works(migrate: Migrate, engine: sa.Engine, folder: Path, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "migrations.md").read_text("utf-8")
    way_back = re.search(r"```\n(rm -f instance/.+?)```", guide, re.DOTALL)
    assert way_back
    migrate("upgrade", "003_rule_life")
    fill(engine, rows=20)
    held = content(engine, reflected(engine))
    migrate("upgrade")
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM rule_triggers"))
    (copy,) = copies(folder)
    engine.dispose()
    # The guide's names, in a folder where they are true.
    shutil.move(str(engine.url.database), folder.parent / "bastion.db")
    (folder.parent / "bastion.db-wal").write_bytes(b"of the database that is replaced")
    shutil.move(copy, folder / "COPY.db")

    subprocess.run(way_back[1], shell=True, check=True, cwd=tmp_path)

    restored = sa.create_engine(f"sqlite:///{tmp_path}/instance/bastion.db")
    assert revision_of(restored) == "003_rule_life"
    assert content(restored, reflected(restored)) == held
    restored.dispose()
