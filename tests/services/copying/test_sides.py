"""Which databases can be copied from and to."""

import hashlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from bastion.services.copying import Copied, CopyError
from tests.databases import Databases
from tests.services.copying.contents import Told, connected, content, copy, file_of, fill, many


def test_one_database_by_two_names_is_refused(databases: Databases, tmp_path: Path, instance: Path) -> None:
    file = databases.migrated("sqlite")
    (tmp_path / "linked.db").symlink_to(file_of(file))
    served = databases.migrated("postgresql")

    for first, second in (
        (file, file),
        (file, f"sqlite:///{tmp_path}/linked.db"),
        (served, served.replace("postgresql://", "postgresql+asyncpg://")),
        (served, served.replace("127.0.0.1", "localhost")),
    ):
        with pytest.raises(CopyError, match=r"^FROM_URL and TO_URL are the same database$"):
            copy(first, second, instance)


def test_a_file_that_is_not_there_is_named_and_not_made(databases: Databases, tmp_path: Path, instance: Path) -> None:
    with pytest.raises(CopyError, match=r"^FROM_URL: there is no file .*/none\.db$"):
        copy(f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}/target.db", instance)

    assert not list(tmp_path.glob("*.db"))


def test_a_database_that_cannot_be_used_is_named(
    databases: Databases, kind: str, tmp_path: Path, instance: Path
) -> None:
    there = databases.migrated("sqlite")
    (tmp_path / "text.db").write_text("This is no database, but a text that is longer than a page's head." * 20)
    bad = f"sqlite:///{tmp_path}/text.db" if kind == "sqlite" else "postgresql://u:s3cret@127.0.0.1:1/name"

    for name, urls in (("FROM_URL", (bad, there)), ("TO_URL", (there, bad))):
        with pytest.raises(CopyError, match=rf"^{name}: the database cannot be used: ") as caught:
            copy(*urls, instance)
        assert "s3cret" not in str(caught.value)


def test_a_source_of_another_revision_is_refused_with_the_command(
    databases: Databases, kind: str, instance: Path
) -> None:
    source = databases.migrated(kind)
    with connected(source) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '009_list_indexes'"))

    with pytest.raises(CopyError, match=r"^FROM_URL: is at revision 009_list_indexes.*flask db upgrade"):
        copy(source, databases.blank("sqlite"), instance)


def test_a_target_of_another_revision_that_holds_rows_is_refused(
    databases: Databases, kind: str, instance: Path
) -> None:
    target = databases.migrated(kind)
    many(target, 1)
    with connected(target) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '009_list_indexes'"))
    before = content(target)

    with pytest.raises(
        CopyError, match=r"^TO_URL: is at revision 009_list_indexes and holds .*: name an empty database"
    ):
        copy(databases.migrated("sqlite"), target, instance)

    assert content(target) == before


def test_a_target_of_another_program_is_refused_and_stays_as_it_is(
    databases: Databases, kind: str, instance: Path
) -> None:
    target = databases.blank(kind)
    with connected(target) as connection:
        connection.execute(sa.text("CREATE TABLE customers (id integer)"))
    digest = hashlib.sha256(file_of(target).read_bytes()).digest() if kind == "sqlite" else b""

    with pytest.raises(CopyError, match=r"^TO_URL: has tables that are not Bastion's \(customers\)"):
        copy(databases.migrated("sqlite"), target, instance)

    with connected(target) as connection:
        assert sa.inspect(connection).get_table_names() == ["customers"]
    if kind == "sqlite":
        assert hashlib.sha256(file_of(target).read_bytes()).digest() == digest


def test_a_target_of_a_newer_version_is_refused(databases: Databases, kind: str, instance: Path) -> None:
    target = databases.migrated(kind)
    with connected(target) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '999_future'"))

    with pytest.raises(CopyError, match=r"^TO_URL: .*999_future"):
        copy(databases.migrated("sqlite"), target, instance)


def test_a_file_that_a_server_uses_is_refused(databases: Databases, instance: Path) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated("sqlite")
    with connected(target) as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))
        connection.execute(sa.text("SELECT 1 FROM rules"))

        with pytest.raises(CopyError, match=r"^TO_URL: another process uses this database: stop the servers"):
            copy(source, target, instance)


def test_a_second_copy_into_one_database_waits_for_the_first(
    databases: Databases, kind: str, instance: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = databases.migrated(kind), databases.migrated("postgresql")
    fill(source)
    second: list[Future[list[Copied]]] = []
    deadline = time.monotonic() + 60

    def begin(_label: str) -> None:
        if not second:
            second.append(pool.submit(copy, source, target, instance))
            while "waiting for it" not in capsys.readouterr().out:
                assert time.monotonic() < deadline, "the second copy does not wait"
                time.sleep(0.02)

    with ThreadPoolExecutor() as pool:
        copy(source, target, instance, Told(begin))

    assert [table.new for table in second[0].result()] == [0, 0, 0]
