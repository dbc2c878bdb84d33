"""What arrives, and that the source stays as it was."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bastion.services import copying
from bastion.services.copying import CopyError
from bastion.services.copying.rows import Row
from tests.databases import Databases
from tests.services.copying.contents import (
    EVENT,
    RULE,
    Told,
    connected,
    content,
    copy,
    counts,
    file_of,
    fill,
    insert,
    many,
    upgrade_to,
)


def test_every_value_arrives_as_it_was(source: str, target: str, kind: str, instance: Path) -> None:
    fill(source)
    before = content(source)
    digest = hashlib.sha256(file_of(source).read_bytes()).digest() if kind == "sqlite" else b""

    copied = copy(source, target, instance)

    assert content(target) == before
    assert [(table.table, table.new, table.content.rows) for table in copied] == [
        ("rules", 2, 2),
        ("events", 3, 3),
        ("rule_triggers", 2, 2),
    ]
    if kind == "sqlite":
        assert hashlib.sha256(file_of(source).read_bytes()).digest() == digest
    assert content(source) == before


def test_there_and_back_again_has_the_same_checksums(databases: Databases, instance: Path) -> None:
    here, there, back = databases.migrated("sqlite"), databases.migrated("postgresql"), databases.migrated("sqlite")
    fill(here)

    first = copy(here, there, instance)
    second = copy(there, back, instance)

    assert first == second
    assert content(back) == content(here)
    assert len({table.content.sha256 for table in first}) == 3


def test_times_without_a_fraction_and_with_a_zone_are_understood(
    databases: Databases, other_kind: str, instance: Path
) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated(other_kind)
    spelled = ["2025-01-13 10:00:00", "2025-01-13T10:00:00Z", "2025-01-13 12:00:00.000+02:00", "2025-01-13 10:00:00.0"]
    insert(
        source,
        "events",
        *(EVENT | {"id": n, "uid": f"{n}", "timestamp": time} for n, time in enumerate(spelled, start=1)),
    )

    copy(source, target, instance)

    with connected(target) as connection:
        column = copying.TABLES[1].c.timestamp
        assert {time.isoformat() for time in connection.scalars(sa.select(column))} == {"2025-01-13T10:00:00+00:00"}


def test_a_database_without_a_schema_gets_one(databases: Databases, kind: str, instance: Path, tmp_path: Path) -> None:
    source = databases.migrated("sqlite")
    fill(source)
    target = f"sqlite:///{tmp_path}/new/folder/t.db" if kind == "sqlite" else databases.blank(kind)

    copy(source, target, instance)

    assert content(target) == content(source)


def test_an_empty_database_of_an_older_schema_gets_this_one(databases: Databases, kind: str, instance: Path) -> None:
    source, target = databases.migrated("sqlite"), databases.blank(kind)
    fill(source)
    upgrade_to(target, "005_trigger_evidence", instance)

    copy(source, target, instance)

    assert content(target) == content(source)


def test_no_id_is_given_again(source: str, target: str, kind: str, other_kind: str, instance: Path) -> None:
    insert(source, "rules", RULE | {"id": 1}, RULE | {"id": 40, "uuid": "gone"})
    insert(source, "events", EVENT | {"id": 9})
    with connected(source) as connection:
        connection.execute(sa.text("DELETE FROM rules WHERE id = 40"))
        if kind == "postgresql":
            for table, last in (("rules", 41), ("events", 60)):
                connection.execute(sa.text(f"SELECT setval('{table}_id_seq', {last})"))

    copy(source, target, instance)

    insert(target, "rules", RULE | {"uuid": "next"})
    insert(target, "events", EVENT | {"uid": "next"})
    with connected(target) as connection:
        rule = connection.scalar(sa.text("SELECT max(id) FROM rules"))
        event = connection.scalar(sa.text("SELECT max(id) FROM events"))
    assert rule == (42 if kind == "postgresql" else 41)
    assert event == (61 if (kind, other_kind) == ("postgresql", "postgresql") else 10)


def test_a_copy_of_nothing_leaves_the_first_id_free(source: str, target: str, instance: Path) -> None:
    assert [table.content.rows for table in copy(source, target, instance)] == [0, 0, 0]

    insert(target, "rules", RULE)
    with connected(target) as connection:
        assert connection.scalar(sa.text("SELECT id FROM rules")) == 1


def test_what_is_written_to_the_source_meanwhile_is_not_copied(
    source: str, target: str, kind: str, instance: Path
) -> None:
    fill(source)
    if kind == "sqlite":
        with sqlite3.connect(file_of(source)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    before = content(source)

    def write(label: str) -> None:
        if label == "Copying rules":
            insert(source, "events", EVENT | {"id": 5, "uid": "meanwhile"})

    copy(source, target, instance, Told(write))

    assert content(target) == before
    assert counts(source)["events"] == 4


def test_what_a_killed_server_left_beside_its_file_is_copied_and_stays_there(
    databases: Databases, kind: str, instance: Path, tmp_path: Path
) -> None:
    served, target = databases.migrated("sqlite"), databases.migrated(kind)
    left = [tmp_path / "left.db", tmp_path / "left.db-wal"]
    with closing(sqlite3.connect(file_of(served))) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("INSERT INTO events (uid, status, flow_name) VALUES ('x', 'allow', 'default')")
        connection.commit()
        for suffix, path in zip(("", "-wal"), left, strict=True):
            shutil.copyfile(f"{file_of(served)}{suffix}", path)
    before = [path.read_bytes() for path in left]
    assert all(before)

    copy(f"sqlite:///{left[0]}", target, instance)

    assert counts(target)["events"] == 1
    assert [path.read_bytes() for path in left] == before


def test_what_is_written_to_the_target_meanwhile_is_found(databases: Databases, kind: str, instance: Path) -> None:
    source, target = databases.migrated(kind), databases.migrated("postgresql")
    fill(source)

    def write(label: str) -> None:
        if label == "Copying rule_triggers":
            with connected(target) as connection:
                connection.execute(sa.text("UPDATE events SET status = 'block', source = 'x' WHERE id = 2"))

    with pytest.raises(CopyError, match="events, id 2 differs in status, source"):
        copy(source, target, instance, Told(write))


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (
            "INSERT INTO events (id, uid, status, flow_name) VALUES (0, 'x', 'x', 'x')",
            "events, id 0 is in TO_URL alone",
        ),
        ("DELETE FROM events WHERE id = 2", "events, id 2 is in FROM_URL alone"),
    ],
)
def test_a_row_too_much_or_too_few_is_found(
    databases: Databases, statement: str, difference: str, instance: Path
) -> None:
    source, target = databases.migrated("postgresql"), databases.migrated("postgresql")
    fill(source)

    def write(label: str) -> None:
        if label == "Copying rule_triggers":
            with connected(target) as connection:
                connection.execute(sa.text(statement))

    with pytest.raises(CopyError, match=difference):
        copy(source, target, instance, Told(write))


def test_no_other_process_can_use_an_sqlite_target_meanwhile(databases: Databases, kind: str, instance: Path) -> None:
    source, target = databases.migrated(kind), databases.migrated("sqlite")
    fill(source)
    refused = []

    def read(_label: str) -> None:
        with sqlite3.connect(file_of(target), timeout=0) as connection:
            try:
                connection.execute("SELECT count(*) FROM rules").fetchone()
            except sqlite3.OperationalError as error:
                refused.append(str(error))
        connection.close()

    copy(source, target, instance, Told(read))

    assert refused
    assert set(refused) == {"database is locked"}


def test_batches_end_at_a_number_of_rows_or_at_a_size() -> None:
    def parts(text: str, number: int) -> list[list[Row]]:
        return [[(1, text)] * 100 for _ in range(number)]

    small = [len(batch) for batch in copying._batches(iter(parts("x", 250)))]
    large = [len(batch) for batch in copying._batches(iter(parts("x" * 100_000, 5)))]

    assert small == [10_000, 10_000, 5_000]
    assert large == [200, 200, 100]


def test_progress_is_of_rows(source: str, target: str, instance: Path) -> None:
    many(source, 250)
    told = Told()

    copy(source, target, instance, told)

    sums: dict[str, int] = {}
    for label, rows in told.pieces:
        sums[label] = sums.get(label, 0) + rows
    assert sums == {
        f"{what} {table}": 1 if table == "rules" else 250
        for what in ("Copying", "Comparing")
        for table in counts(source)
    }
