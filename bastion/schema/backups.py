"""The copy of an SQLite database that is made before a migration changes it."""

import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from bastion.errors import SchemaError

KEPT: Final = 5
_TABLES: Final = """
    SELECT count(*) FROM sqlite_master WHERE name <> 'alembic_version' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
"""
_PAGES: Final = 4096
"""Pages copied between two looks at the bar: 16 MiB at SQLite's usual page size."""


def back_up(database: Path, folder: Path, revision: str) -> None:
    """Copies the database into the folder by SQLite's online backup, and keeps the newest five copies of it.

    A database without a table has nothing to lose and is not copied. Servers may go on writing meanwhile: the copy
    is the database as it was at one moment.

    Raises:
        SchemaError: when the copy cannot be made; there is none then, and the older ones are still there.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as source:
        if not source.execute(_TABLES).fetchone()[0]:
            return
        made = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        copy = folder / f"{database.stem}-{made}-{revision}.db"
        unfinished = folder / f"{database.stem}.unfinished"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            _check_space(database, folder)
            _copy(source, unfinished)
            unfinished.chmod(database.stat().st_mode & 0o777)
            unfinished.rename(copy)
            _remove_old(database.stem, folder)
        except (OSError, sqlite3.Error) as error:
            raise SchemaError(
                f"the database is copied to {folder} before it is migrated, and that failed: {error}. "
                "Nothing was migrated: make room, or make the folder writable, and try again"
            ) from None
    click.echo(f"copied the database to {copy}")


def _check_space(database: Path, folder: Path) -> None:
    wanted, free = database.stat().st_size, shutil.disk_usage(folder).free
    if wanted > free:
        raise OSError(f"the copy takes {wanted:,} bytes, and {free:,} are free")


def _copy(source: sqlite3.Connection, target: Path) -> None:
    try:
        # Within a reading transaction, or every write by another process would make the copy begin anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target)) as copy, _bar() as advance:
            # A copy that fails is removed as a whole: no journal that could stay behind.
            copy.execute("PRAGMA journal_mode=OFF")
            source.backup(copy, pages=_PAGES, progress=advance)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        source.rollback()


@contextmanager
def _bar() -> Iterator[Callable[[int, int, int], None]]:
    with click.progressbar(
        length=1, label="Copying the database", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def advance(_status: int, remaining: int, total: int) -> None:
            bar.length = total
            bar.update(total - remaining - bar.pos)

        yield advance


def _remove_old(stem: str, folder: Path) -> None:
    ours = re.compile(re.escape(stem) + r"-\d{8}T\d{6}\.\d{6}Z-.+\.db")
    copies = sorted(path for path in folder.iterdir() if ours.fullmatch(path.name))
    for path in copies[:-KEPT]:
        path.unlink()
