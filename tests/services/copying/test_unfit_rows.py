"""Rows that cannot be copied are named, and nothing is lost."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bastion.services.copying import CopyError
from tests.databases import Databases
from tests.services.copying.contents import EVENT, RULE, TRIGGER, content, copy, counts, file_of, insert, many


def two_of(table: str, **odd: Any) -> list[tuple[str, dict[str, Any]]]:
    """A row that can be copied, and one that cannot."""
    row = {"rules": RULE, "events": EVENT}[table]
    return [(table, row | {"id": 4}), (table, row | {"id": 5, "uuid" if table == "rules" else "uid": "5"} | odd)]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (two_of("events", prompt="a\0b"), "events, id 5, column prompt: has a NUL character"),
        (two_of("events", context='{"a": NaN}'), "events, id 5, column context: is no JSON: NaN is no number"),
        (two_of("events", pipeline_results=""), "events, id 5, column pipeline_results: is no JSON: Expecting value"),
        (two_of("rules", history="[" * 100_000), "rules, id 5, column history: is JSON that is nested too deeply"),
        (two_of("rules", name="é" * 256), "rules, id 5, column name: has 256 characters, and 255 fit"),
        (two_of("rules", version=2**31), "rules, id 5, column version: 2147483648 is beyond 32 bits"),
    ],
)
def test_what_postgresql_cannot_hold_is_named(
    databases: Databases, rows: list[tuple[str, dict[str, Any]]], reason: str, instance: Path
) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated("postgresql")
    for table, row in rows:
        insert(source, table, row)
    before = content(source)

    with pytest.raises(CopyError) as caught:
        copy(source, target, instance)

    assert str(caught.value).startswith(f"TO_URL cannot hold {reason}")
    assert "Mend the row there and run the same command again" in str(caught.value)
    assert content(source) == before
    assert sum(counts(target).values()) == 0

    mended = databases.migrated("sqlite")
    copy(source, mended, instance)
    assert content(mended) == before


def test_a_copy_goes_on_when_the_row_is_mended(databases: Databases, instance: Path) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated("postgresql")
    insert(source, "rules", RULE | {"id": 1})
    insert(source, "events", EVENT | {"id": 1, "prompt": "\0"})
    with pytest.raises(CopyError):
        copy(source, target, instance)
    assert counts(target) == {"rules": 1, "events": 0, "rule_triggers": 0}
    with sqlite3.connect(file_of(source)) as connection:
        connection.execute("UPDATE events SET prompt = ''")
    connection.close()

    copy(source, target, instance)

    assert content(target) == content(source)


@pytest.mark.parametrize(("kind", "other_kind"), [("sqlite", "sqlite"), ("sqlite", "postgresql")])
def test_a_trigger_without_its_event_is_named(source: str, target: str, instance: Path) -> None:
    insert(source, "rules", RULE | {"id": 1})
    insert(source, "rule_triggers", TRIGGER | {"id": 8, "event_id": 77})

    with pytest.raises(CopyError, match="rule_triggers, id 8, column event_id: there is no row 77 that it refers to"):
        copy(source, target, instance)


@pytest.mark.parametrize(
    ("column", "stored", "reason"),
    [
        ("prompt", "CAST(x'61FF62' AS TEXT)", "is no text in the database's encoding"),
        ("prompt", "CAST(x'EDA080' AS TEXT)", "is no text in the database's encoding"),
        ("prompt", "x'61'", "is no text: b'a'"),
        ("duration_us", "'long'", "is no integer: 'long'"),
        ("duration_us", "1.5", "is no integer: 1.5"),
        ("timestamp", "'yesterday\x1b'", r"is no time of the years 1 to 9999: 'yesterday\\x1b'"),
        ("timestamp", "5", "is no time of the years 1 to 9999: 5"),
    ],
)
def test_what_is_no_value_of_its_column_in_sqlite_is_named(
    databases: Databases, column: str, stored: str, reason: str, instance: Path
) -> None:
    source, target = databases.migrated("sqlite"), databases.migrated("sqlite")
    many(source, 150)
    with closing(sqlite3.connect(file_of(source))) as connection:
        connection.execute(f"UPDATE events SET {column} = {stored} WHERE id = 130")
        connection.commit()

    with pytest.raises(CopyError, match=f"^FROM_URL: events, id 130, column {column}: {reason}"):
        copy(source, target, instance)


@pytest.mark.parametrize("time", ["infinity", "0044-03-15 00:00:00 BC", "10000-01-01"])
def test_a_time_that_python_cannot_read_is_named(databases: Databases, kind: str, time: str, instance: Path) -> None:
    source, target = databases.migrated("postgresql"), databases.migrated(kind)
    insert(source, "events", EVENT | {"id": 6, "timestamp": time})

    with pytest.raises(
        CopyError, match=r"^FROM_URL: events, id 6, column timestamp: is no time of the years 1 to 9999"
    ):
        copy(source, target, instance)
