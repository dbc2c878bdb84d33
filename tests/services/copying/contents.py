"""Rows to copy, and what is to be found of them afterwards: read without any of the code that copies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from bastion import create_app
from bastion.extensions import Base, db
from bastion.models import MAX_ID, Json, UtcDateTime
from bastion.services.copying import Copied, copy_database
from bastion.settings import sync_database_url
from tests.databases import migrate

ODD_TEXT = (
    "é ß 中文 😀 \u202e \u200b \ufeff \U0010ffff \\N \\. \\\\ \\n tab\t line\n cr\r crlf\r\n quote' \" % $1 \x01 \x7f"
)
TABLES = ("rules", "events", "rule_triggers")

RULE = {
    "uuid": "u",
    "name": "n",
    "details": "d",
    "language": "llm-regex-pattern",
    "pattern": "p",
    "action": "block",
    "enabled": True,
    "created_at": "2025-01-13 10:00:00.000001",
    "updated_at": "2025-01-13 10:00:00.999999",
    "version": 1,
    "views": "all",
}
EVENT = {"uid": "e", "status": "allow", "flow_name": "default", "timestamp": "2025-01-13 12:00:00.123456"}
TRIGGER = {"event_id": 1, "rule_id": 1, "pipeline_name": "rule", "timestamp": "2025-01-13 12:00:00.000000"}


def filled(table: str, **odd: Any) -> dict[str, Any]:
    """A row with a value in every column that there is, now and in later revisions."""
    return {column.name: _value(column) for column in Base.metadata.tables[table].columns} | odd


def _value(column: sa.Column[Any]) -> Any:
    match column.type:
        case Json():
            return '{"b": [1, 2], "a": null}'
        case UtcDateTime():
            return "2025-06-01 00:00:00.500000"
        case sa.Boolean():
            return False
        case sa.Integer():
            return 7
        case _:
            return "é"


RULES: list[dict[str, Any]] = [
    RULE | {"id": 1},
    filled(
        "rules",
        uuid="",
        name="n" * 255,
        details=ODD_TEXT,
        pattern="",
        severity="",
        category="é" * 100,
        created_at="0001-01-01 00:00:00.000000",
        updated_at="9999-12-31 23:59:59.999999",
        version=2**31 - 1,
        author="\\N",
        tags="",
        references="https://a\nhttps://b",
        false_positives="\n",
        samples="null",
        exceptions='{"z": 1, "a": [1.50, 1e400, -0, 12345678901234567890123], "z": "\\u0000 \\ud83d \\n 😀"}',
        history=" [ ]\n\t",
    ),
]
EVENTS: list[dict[str, Any]] = [
    EVENT | {"id": 1},
    filled(
        "events", id=2, uid="", task_id="", prompt=ODD_TEXT * 3000, source="\t", duration_us=2**63 - 1, context='""'
    ),
    EVENT | {"id": MAX_ID, "uid": "last", "prompt": "", "duration_us": -(2**63), "context": "5"},
]
TRIGGERS: list[dict[str, Any]] = [
    TRIGGER | {"id": 3},
    filled(
        "rule_triggers",
        id=2**40,
        event_id=MAX_ID,
        matched_text=ODD_TEXT,
        rule_version=-(2**31),
        severity="",
        spans="[[0, 15], [3, 4]]",
        note="",
    ),
]


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """A connection for a test's own use, with foreign keys off on SQLite; what it does is committed."""
    engine = sa.create_engine(sync_database_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def insert(url: str, table: str, *rows: dict[str, Any]) -> None:
    """Stores rows as they are given, without the models' types."""
    with connected(url) as connection:
        for row in rows:
            stored = sa.table(table, *map(sa.column, row))
            connection.execute(sa.insert(stored).values(**row))


def fill(url: str) -> None:
    """A row of each table with nothing in it that may be missing, and rows with everything, odd and extreme."""
    insert(url, "rules", *RULES)
    insert(url, "events", *EVENTS)
    insert(url, "rule_triggers", *TRIGGERS)


def many(url: str, events: int) -> None:
    """A rule, and so many events with a trigger each."""
    insert(url, "rules", RULE | {"id": 1})
    numbers = range(1, events + 1)
    with connected(url) as connection:
        for table, rows in (
            ("events", [EVENT | {"id": n, "uid": f"uid-{n}", "prompt": f"prompt {n} 😀"} for n in numbers]),
            ("rule_triggers", [TRIGGER | {"id": n, "event_id": n} for n in numbers]),
        ):
            connection.execute(sa.insert(sa.table(table, *map(sa.column, rows[0]))), rows)


def content(url: str) -> dict[str, list[Any]]:
    """Every row: JSON as it was written, all else as the models read it."""
    found: dict[str, list[Any]] = {}
    with connected(url) as connection:
        for name in TABLES:
            table = Base.metadata.tables[name]
            columns = [sa.cast(one, sa.Text) if isinstance(one.type, Json) else one for one in table.columns]
            found[name] = list(connection.execute(sa.select(*columns).order_by(table.c.id)))
    return found


def counts(url: str) -> dict[str, int]:
    with connected(url) as connection:
        return {name: connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0 for name in TABLES}


def file_of(url: str) -> Path:
    return Path(make_url(url).database or "")


class Told:
    """A bar that keeps what it was told; ``then`` is called after each piece of work with its label."""

    def __init__(self, then: Callable[[str], None] = lambda _label: None) -> None:
        self.pieces: list[tuple[str, int]] = []
        self._then = then

    @contextmanager
    def __call__(self, _length: int, label: str) -> Iterator[Callable[[int], None]]:
        def advance(rows: int) -> None:
            self.pieces.append((label, rows))
            self._then(label)

        yield advance


def upgrade_to(url: str, revision: str, instance: Path) -> None:
    app = create_app(database_url=url, bastion_instance=instance)
    with app.app_context():
        flask_migrate.upgrade(revision=revision)
        db.engine.dispose()


def copy(source: str, target: str, instance: Path, bar: Told | None = None) -> list[Copied]:
    """The copy as the command makes it."""
    return copy_database(
        sync_database_url(source), sync_database_url(target), lambda url: migrate(url, instance), bar or Told()
    )
