"""What the tests of migrations share: rows in every column, schemas and contents to compare, commands to run."""

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from bastion.schema.adoption import TABLES
from bastion.schema.description import Described, describe
from tests.conftest import ROOT, clean_environment

SCRIPT = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
REVISIONS = [script.revision for script in reversed(list(SCRIPT.walk_revisions()))]
HEAD = REVISIONS[-1]
ROWS = 1000
BIN = Path(sys.executable).parent
DOCUMENTS = ("pipeline_results", "samples", "exceptions", "history", "context", "spans")

Content = dict[str, list[tuple[Any, ...]]]


def flask(url: str, instance: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs ``flask`` as a person does: in a process of its own, from the checkout."""
    return command("flask", url, instance, *arguments, **settings)


def command(
    name: str, url: str, instance: Path, *arguments: str, cwd: Path = ROOT, **settings: str
) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(DATABASE_URL=url, BASTION_INSTANCE=str(instance), **settings)
    words = [str(BIN / name), *arguments]
    return subprocess.run(words, cwd=cwd, env=environment, check=False, capture_output=True, text=True)


def reflected(engine: sa.Engine) -> dict[str, sa.Table]:
    """The tables as they are now, parents first."""
    metadata = sa.MetaData()
    metadata.reflect(engine, only=[name for name in TABLES if sa.inspect(engine).has_table(name)])
    return {name: metadata.tables[name] for name in TABLES if name in metadata.tables}


def fill(engine: sa.Engine, rows: int = ROWS) -> None:
    """Puts rows into the tables, every column filled; ids have gaps, as after deletions."""
    with engine.begin() as connection:
        for table in reflected(engine).values():
            connection.execute(sa.insert(table), [values_of(table.columns, number) for number in range(rows)])


def fill_new(engine: sa.Engine, before: dict[str, sa.Table]) -> None:
    """Fills the columns that the tables did not have before."""
    with engine.begin() as connection:
        for name, table in reflected(engine).items():
            new = [column for column in table.columns if column.name not in before[name].columns]
            if new:
                ids = connection.scalars(sa.select(table.c.id).order_by(table.c.id)).all()
                connection.execute(
                    sa.update(table).where(table.c.id == sa.bindparam("row")),
                    [{"row": row, **values_of(new, number)} for number, row in enumerate(ids)],
                )


def values_of(columns: Iterable[sa.Column[Any]], number: int) -> dict[str, Any]:
    return {column.name: value_of(column, number) for column in columns}


def value_of(column: sa.Column[Any], number: int) -> Any:
    """A value that fills the column and is another one in every row."""
    if column.name in ("id", "event_id", "rule_id"):
        return number * 3 + 1
    if column.name in DOCUMENTS:
        document = {"number": number, "text": "пример 😀", "deep": [None, {"a": "'"}]}
        return document if isinstance(column.type, sa.JSON) else json.dumps(document)
    if isinstance(column.type, sa.Boolean):
        return bool(number % 2)
    if isinstance(column.type, sa.DateTime):
        moment = datetime(2025, 1, 13, 12, 0, 0, 123456, tzinfo=UTC) + timedelta(seconds=number)
        return moment if column.type.timezone else moment.replace(tzinfo=None)
    if isinstance(column.type, sa.Integer):
        return number + (2**40 if isinstance(column.type, sa.BigInteger) else 2)
    length = getattr(column.type, "length", None) or 2000
    return f"{number} {column.name} пример 😀 'quoted' ".ljust(length, "x")[:length]


def content(engine: sa.Engine, columns: dict[str, sa.Table]) -> Content:
    """What the columns of those tables hold, as text, so that both ends of a migration compare."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET TIME ZONE 'UTC'"))
        return {
            name: [
                tuple(value.removesuffix("+00") if isinstance(value, str) else value for value in row)
                for row in connection.execute(
                    sa.select(*(sa.cast(sa.column(column.name), sa.Text) for column in table.columns))
                    .select_from(sa.table(name))
                    .order_by(sa.column("id"))
                )
            ]
            for name, table in columns.items()
        }


def schema(engine: sa.Engine) -> Described:
    """Everything there is to say about the tables, and on PostgreSQL about the sequences of their ids."""
    with engine.connect() as connection:
        described = describe(connection, TABLES)
        if connection.dialect.name == "postgresql":
            sequences = sa.text("SELECT sequencename, data_type::text FROM pg_sequences")
            described |= {f"sequence {name}": kind for name, kind in connection.execute(sequences)}
    return described


def revision_of(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def broken_references(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(
            connection.scalar(
                sa.text(
                    "SELECT count(*) FROM rule_triggers WHERE event_id NOT IN (SELECT id FROM events) "
                    "OR rule_id NOT IN (SELECT id FROM rules)"
                )
            )
            or 0
        )
