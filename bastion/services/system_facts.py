"""What an installation is made of: its libraries, its database, its folders, its settings. No secret leaves here."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from bastion.models import Event, Rule, RuleTrigger
from bastion.services.instance_files import database_files
from bastion.settings import Settings

LIBRARIES: Final = (
    *("Flask", "Werkzeug", "SQLAlchemy", "alembic", "psycopg2-binary", "gunicorn", "pydantic"),
    *("hyperscan", "google-re2", "regex"),
)
HIDDEN: Final = "set, not shown"

_SECRET_NAME: Final = re.compile(
    r"secret|password|passwd|token|credential|private|(^|_)(api_?)?key($|_)|dsn", re.IGNORECASE
)
_USER_OF_URL: Final = re.compile(r"(://)[^/\s]*@")


def library_versions() -> dict[str, str]:
    """The libraries that matter and are installed, in their order."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """A table and about how many rows it has; ``None`` where the database has not counted them yet."""

    name: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The database as it is. ``size`` are bytes, ``oldest`` and ``newest`` are those of the events."""

    kind: str
    size: int
    tables: tuple[Table, ...]
    oldest: datetime | None
    newest: datetime | None


def database_facts(connection: sa.Connection, settings: Settings) -> DatabaseFacts:
    """What the database says of itself without counting the rows of a large table."""
    if settings.sqlite_file:
        kind = f"SQLite {connection.scalar(sa.text('SELECT sqlite_version()'))}"
        size = sum(file.stat().st_size for file in database_files(settings.sqlite_file) if file.exists())
    else:
        kind = f"PostgreSQL {connection.scalar(sa.text('SHOW server_version'))}"
        size = connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0
    ends = sa.select(
        sa.select(sa.func.min(Event.timestamp)).scalar_subquery(),
        sa.select(sa.func.max(Event.timestamp)).scalar_subquery(),
    )
    oldest, newest = connection.execute(ends).one()
    return DatabaseFacts(kind, size, _tables(connection), oldest, newest)


def _tables(connection: sa.Connection) -> tuple[Table, ...]:
    """Rules are few and counted. PostgreSQL keeps an estimate of the others; SQLite's newest id is about as good."""
    rules = Table(Rule.__tablename__, connection.scalar(sa.select(sa.func.count()).select_from(Rule)))
    if connection.dialect.name != "postgresql":
        newest = sa.select(*(sa.select(sa.func.max(kind.id)).scalar_subquery() for kind in (Event, RuleTrigger)))
        events, triggers = connection.execute(newest).one()
        return rules, Table(Event.__tablename__, events or 0), Table(RuleTrigger.__tablename__, triggers or 0)
    estimate = sa.text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)")
    tables = [rules]
    for name in (Event.__tablename__, RuleTrigger.__tablename__):
        rows = connection.scalar(estimate, {"name": name})
        # It is -1 until the table was first analysed.
        tables.append(Table(name, int(rows) if rows is not None and rows >= 0 else None))
    return tuple(tables)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files in a folder, and below it, and their bytes."""

    files: int
    size: int


def folder(path: Path) -> Folder:
    """What a folder holds; nothing where there is none."""
    sizes = []
    for file in _files(path):
        try:
            sizes.append(file.stat().st_size)
        except FileNotFoundError:
            # Another process has taken it away meanwhile.
            continue
    return Folder(len(sizes), sum(sizes))


def _files(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*") if file.is_file())


def disk_free(path: Path) -> tuple[int, int]:
    """Bytes that are free where a folder is, and how many there are in all."""
    usage = shutil.disk_usage(path)
    return usage.free, usage.total


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force, as it may be shown. ``usual`` is whether nobody has changed it."""

    name: str
    value: str
    usual: bool


def settings_in_force(settings: Settings) -> tuple[Setting, ...]:
    """Every setting, by the name of its variable."""
    return tuple(
        Setting(name.upper(), _shown(name, getattr(settings, name)), getattr(settings, name) == field.default)
        for name, field in type(settings).model_fields.items()
    )


def is_secret(kind: type[Settings], name: str) -> bool:
    """Whether a setting's value is never shown: its field says so, or its name does."""
    return not kind.model_fields[name].repr or _SECRET_NAME.search(name) is not None


def _shown(name: str, value: Any) -> str:
    if value is None or value in ("", ()):
        return ""
    if is_secret(Settings, name):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return masked_url(str(value))


def masked_url(text: str) -> str:
    """A text without the passwords of the URLs in it, be they before the host or behind a question mark."""
    if "://" not in text:
        return text
    try:
        url = make_url(text)
        hidden = {key: "***" for key in url.query if _SECRET_NAME.search(key)}
        return url.update_query_dict(hidden).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError):
        return _USER_OF_URL.sub(r"\1***@", text.partition("?")[0])
