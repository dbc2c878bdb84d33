"""The guide's commands, as ``flask db ...`` and as ``alembic ...``."""

import re
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import main

from tests.conftest import ROOT
from tests.migrations.conftest import Migrate
from tests.migrations.support import HEAD, REVISIONS, command, flask, revision_of, schema


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations, to write into."""
    return Path(shutil.copytree(ROOT / "migrations", tmp_path / "migrations"))


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "versions").glob("*.py")}


@pytest.fixture(autouse=True)
def _checkout_stays_as_it_is() -> object:
    before = files(ROOT / "migrations")
    yield
    assert files(ROOT / "migrations") == before


def test_the_history_is_one_line_and_names_its_files(migrate: Migrate) -> None:
    shown = migrate("history")
    verbose = migrate("history", "--verbose")

    lines = list(reversed(shown.splitlines()))
    assert [line.split(" -> ")[1].split(" ")[0].rstrip(",") for line in lines] == REVISIONS
    for revision in REVISIONS:
        assert re.search(rf"^Path: .*/migrations/versions/{revision}\w*\.py$", verbose, re.MULTILINE)


def test_forth_and_back_as_the_guide_types_it(migrate: Migrate, engine: sa.Engine) -> None:
    def current() -> str:
        return migrate("current").strip()

    assert current() == ""
    migrate("upgrade", "+1")
    assert current() == REVISIONS[0]
    migrate("upgrade", "004_event_identity")
    assert current() == "004_event_identity"
    migrate("upgrade", "head")
    assert current() == f"{HEAD} (head)"
    migrate("downgrade", "-1")
    migrate("downgrade", "-2")
    assert current() == REVISIONS[-4]
    migrate("downgrade")
    assert current() == REVISIONS[-5]
    migrate("downgrade", "002_one_uuid_index")
    assert current() == "002_one_uuid_index"
    migrate("downgrade", "base")
    assert current() == ""
    assert set(sa.inspect(engine).get_table_names()) == {"alembic_version"}


def test_no_command_but_these_migrates(migrate: Migrate, engine: sa.Engine, blank: str, instance: Path) -> None:
    migrate("upgrade", "003_rule_life")
    before = schema(engine)

    for looking in (["current"], ["history", "-i"], ["heads"], ["branches"], ["show", HEAD]):
        migrate(*looking)
    migrate("check", fails=True)
    assert flask(blank, instance, "routes").returncode == 0

    assert (revision_of(engine), schema(engine)) == ("003_rule_life", before)


def test_a_revision_is_written_from_the_models(migrate: Migrate, engine: sa.Engine, folder: Path) -> None:
    migrate("upgrade")
    before = files(folder)
    assert "no migration is needed" in migrate("migrate", "-d", str(folder), "-m", "nothing")
    assert files(folder) == before
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_events_status"))
    migrate("check", fails=True)

    migrate("migrate", "-d", str(folder), "-m", "an index is back")

    (written,) = files(folder) - before
    assert written.endswith("_an_index_is_back.py")
    assert "ix_events_status" in (folder / "versions" / written).read_text()
    migrate("upgrade", "-d", str(folder))
    migrate("check", "-d", str(folder))
    migrate("downgrade", "-d", str(folder), "-1")
    assert revision_of(engine) == HEAD


def test_a_revision_is_written_by_hand(migrate: Migrate, folder: Path) -> None:
    before = files(folder)

    migrate("revision", "-d", str(folder), "-m", "by hand")

    (written,) = files(folder) - before
    text = (folder / "versions" / written).read_text()
    assert f"down_revision = '{HEAD}'" in text
    migrate("upgrade", "-d", str(folder))


def test_two_heads_are_named_and_merged(
    migrate: Migrate, engine: sa.Engine, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    migrate("upgrade")
    for name in ("one", "two"):
        migrate("revision", "-d", str(folder), "-m", name, "--head", HEAD, "--splice", "--rev-id", name)

    migrate("upgrade", "-d", str(folder), fails=True)

    assert "Multiple head" in caplog.text
    assert 'flask db merge -m "..." heads' in caplog.text
    assert sorted(migrate("heads", "-d", str(folder)).splitlines()) == ["one (head)", "two (head)"]
    migrate("merge", "-d", str(folder), "-m", "both", "--rev-id", "both", "heads")
    migrate("upgrade", "-d", str(folder))
    assert revision_of(engine) == "both"


def test_an_unknown_revision_is_explained(
    migrate: Migrate, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    migrate("upgrade")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '999_newer'"))
    for asking in (["upgrade"], ["downgrade", "-1"], ["check"], ["current"]):
        caplog.clear()

        migrate(*asking, fails=True)

        assert "Can't locate revision identified by '999_newer'" in caplog.text
        assert "If a newer Bastion migrated this database, run that version" in caplog.text
    assert revision_of(engine) == "999_newer"
    migrate("stamp", "--purge", "head")
    assert revision_of(engine) == HEAD


def test_an_old_schema_is_named_before_models_are_compared(migrate: Migrate, caplog: pytest.LogCaptureFixture) -> None:
    migrate("upgrade", "003_rule_life")
    for asking in (["migrate", "-m", "x"], ["check"]):
        caplog.clear()

        migrate(*asking, fails=True)

        assert "Target database is not up to date" in caplog.text
        assert "flask db upgrade" in caplog.text


def test_a_stamp_marks_and_changes_nothing_else(migrate: Migrate, engine: sa.Engine) -> None:
    migrate("upgrade")
    before = schema(engine)

    migrate("stamp", "004_event_identity")
    assert revision_of(engine) == "004_event_identity"
    migrate("stamp", "head")

    assert (revision_of(engine), schema(engine)) == (HEAD, before)


def test_faults_are_one_message_and_a_failure(blank: str, instance: Path) -> None:
    for words in (("flask", "db", "upgrade", "nope"), ("alembic", "upgrade", "nope")):
        done = command(words[0], blank, instance, *words[1:])

        assert done.returncode != 0
        assert "Can't locate revision identified by 'nope'" in done.stdout + done.stderr
        assert "flask db history" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_a_database_that_is_away_is_said_to_be(instance: Path) -> None:
    done = flask("postgresql://nobody@127.0.0.1:1/nothing", instance, "db", "upgrade")

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "the database cannot be used: connection to server" in done.stderr


def test_the_guides_commands_work_as_alembic_types_them(
    blank: str, engine: sa.Engine, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", blank)
    monkeypatch.setenv("BASTION_INSTANCE", str(instance))
    monkeypatch.chdir(ROOT)

    def alembic(*arguments: str) -> None:
        main(argv=list(arguments), prog="alembic")

    alembic("upgrade", "head")
    assert revision_of(engine) == HEAD
    alembic("downgrade", "-1")
    assert revision_of(engine) == REVISIONS[-2]
    alembic("stamp", "head")
    assert revision_of(engine) == HEAD
    alembic("stamp", REVISIONS[-2])
    alembic("downgrade", "base")
    alembic("upgrade", "+1")
    assert revision_of(engine) == REVISIONS[0]
    for looking in (["current"], ["history", "--verbose"], ["heads"]):
        alembic(*looking)
    with pytest.raises(SystemExit):
        alembic("check")
    shown = command("alembic", blank, instance, "current")
    assert (shown.stdout.strip(), shown.returncode) == (REVISIONS[0], 0)


def test_alembic_writes_a_revision_where_the_migrations_are(
    blank: str, instance: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.copyfile(ROOT / "alembic.ini", tmp_path / "alembic.ini")
    before = files(folder)

    done = command("alembic", blank, instance, "revision", "-m", "by hand", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(files(folder) - before) == 1


def test_the_guides_env_file_works_unchanged(tmp_path: Path, blank: str, kind: str, engine: sa.Engine) -> None:
    """As AIDR Bastion's guide writes them: drivers that wait for nothing, a path from where one stands."""
    url = blank.replace("postgresql://", "postgresql+asyncpg://")
    if kind == "sqlite":
        url = "sqlite+aiosqlite:///./data/aidr_bastion.db"
        engine = sa.create_engine(f"sqlite:///{tmp_path}/data/aidr_bastion.db")
    (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
    for name, upgrade in (
        ("flask", ["--app", str(ROOT / "wsgi.py"), "db", "upgrade"]),
        ("alembic", ["-c", str(ROOT / "alembic.ini"), "downgrade", "-1"]),
    ):
        # An empty variable counts as none.
        done = command(name, "", tmp_path / "instance", *upgrade, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    assert revision_of(engine) == REVISIONS[-2]
    engine.dispose()
