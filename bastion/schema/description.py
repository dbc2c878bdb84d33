"""A database's tables in words, so that two schemas can be compared and their differences read."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy import Connection, Inspector

Described = dict[str, str]
"""What there is (``rules.uuid``, ``index ix_rules_uuid``), and how it is (``VARCHAR(255) NOT NULL``)."""


def describe(connection: Connection, tables: Iterable[str]) -> Described:
    """Columns, defaults, keys, constraints and indexes of those of the tables that there are."""
    inspector = sa.inspect(connection)
    described: Described = {}
    for table in tables:
        if inspector.has_table(table):
            described[f"table {table}"] = "there"
            described.update(_columns(connection, inspector, table))
            described.update(_constraints(inspector, table))
            described.update(_indexes(inspector, table))
            if connection.dialect.name == "sqlite":
                described.update(_only_in_sqlite(connection, table))
    return described


def _columns(connection: Connection, inspector: Inspector, table: str) -> Iterator[tuple[str, str]]:
    for column in inspector.get_columns(table):
        name = f"{table}.{column['name']}"
        yield name, f"{column['type'].compile(connection.dialect)} {'NULL' if column['nullable'] else 'NOT NULL'}"
        if column["default"] is not None:
            yield f"default of {name}", str(column["default"])


def _constraints(inspector: Inspector, table: str) -> Iterator[tuple[str, str]]:
    yield f"primary key of {table}", _list(inspector.get_pk_constraint(table)["constrained_columns"])
    for unique in inspector.get_unique_constraints(table):
        yield f"unique constraint on {table} {_list(unique['column_names'])}", unique["name"] or "without a name"
    for key in inspector.get_foreign_keys(table):
        target = f"{key['referred_table']} {_list(key['referred_columns'])}"
        rules = "".join(f" {name.upper()} {value}" for name, value in sorted(key.get("options", {}).items()))
        named = f", named {key['name']}" if key["name"] else ""
        yield f"foreign key of {table} {_list(key['constrained_columns'])}", f"{target}{rules}{named}"
    for check in inspector.get_check_constraints(table):
        yield f"check on {table} {check['name'] or ''}".rstrip(), str(check["sqltext"])


def _indexes(inspector: Inspector, table: str) -> Iterator[tuple[str, str]]:
    for index in inspector.get_indexes(table):
        if not index.get("duplicates_constraint"):
            options = {key: str(value) for key, value in index.get("dialect_options", {}).items()}
            options = {key: value for key, value in options.items() if value not in ("None", "[]", "False")}
            names = [name or "an expression" for name in index["column_names"]]
            unique = "UNIQUE " if index["unique"] else ""
            shown = f" {options}" if options else ""
            yield f"index {index['name']}", f"{unique}on {table} {_list(names)}{shown}"


def _only_in_sqlite(connection: Connection, table: str) -> Iterator[tuple[str, str]]:
    """What SQLAlchemy's inspection does not see."""
    stored = sa.text(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :table AND type IN ('table', 'trigger')"
    )
    for kind, name, sql in connection.execute(stored, {"table": table}):
        if kind == "trigger":
            yield f"trigger {name}", f"on {table}"
        elif "AUTOINCREMENT" in sql.upper():
            yield f"ids of {table}", "AUTOINCREMENT"


def _list(names: Iterable[str]) -> str:
    return f"({', '.join(names)})"
