"""Small JSON files in ``instance/`` that several processes read and change."""

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from bastion.errors import SettingsError

MIN_KEY: Final = 32
"""Characters of a session key; those that one starts with, made of fewer, can be guessed."""
MIN_KEY_CHARACTERS: Final = 8
"""Different ones among them: 64 random digits of hexadecimal have fewer about never."""

Entry = TypeVar("Entry", bound=BaseModel)
Result = TypeVar("Result")


class InstanceFile(Generic[Entry]):
    """Named entries of one kind in a file that only its owner may read; read again when somebody has changed it."""

    def __init__(self, path: Path, kind: type[Entry]) -> None:
        self.path = path
        self._entries: TypeAdapter[dict[str, Entry]] = TypeAdapter(dict[str, kind])  # type: ignore[valid-type]
        # Stamp and content in one, so that no thread can pair an old content with a new stamp.
        self._seen: tuple[tuple[int, int, int], dict[str, Entry]] | None = None

    def read(self) -> dict[str, Entry]:
        """The entries as they are now; none when there is no file.

        Raises:
            SettingsError: when the file is damaged.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        seen = self._seen
        if seen is None or seen[0] != stamp:
            seen = self._seen = (stamp, self._parse())
        return seen[1]

    def change(self, edit: Callable[[dict[str, Entry]], Result]) -> Result:
        """Applies one edit to the entries, alone, and replaces the file in one step."""
        with locked(self.path):
            entries = self._parse() if self.path.exists() else {}
            result = edit(entries)
            written = self._entries.dump_json(entries, indent=2, exclude_defaults=True)
            write_private(self.path, written.decode() + "\n")
        return result

    def _parse(self) -> dict[str, Entry]:
        try:
            return self._entries.validate_json(self.path.read_bytes())
        except OSError as error:
            raise SettingsError(f"{self.path}: cannot be read: {error}") from None
        except ValidationError as error:
            # No input: the file holds hashes.
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, fault["loc"])) or "the file"
            raise SettingsError(f"{self.path}: is damaged at {place}: {fault['msg']}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes that ask for the same file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_private(*paths: Path) -> None:
    """Takes from everybody but the owner what rights they have on files and folders that are there and ours."""
    for path in paths:
        try:
            status = path.stat()
            if status.st_mode & 0o077 and status.st_uid == os.geteuid():
                path.chmod(stat.S_IMODE(status.st_mode) & 0o700)
        except FileNotFoundError:
            continue


def database_files(database: Path) -> tuple[Path, ...]:
    """An SQLite database and what SQLite keeps beside it."""
    return (database, *(database.with_name(f"{database.name}{part}") for part in ("-wal", "-shm", "-journal")))


def write_private(path: Path, content: str) -> None:
    """Replaces a file in one step by one that only its owner may read."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def secret_key(path: Path) -> str:
    """The session key in the file, made on first use; the first of several processes decides.

    Raises:
        SettingsError: when the file holds one that is too short or easily guessed.
    """
    with locked(path):
        if not path.exists():
            write_private(path, secrets.token_hex(32) + "\n")
        make_private(path)
        key = path.read_text("ascii", errors="replace").strip()
    if len(key) < MIN_KEY or len(set(key)) < MIN_KEY_CHARACTERS:
        raise SettingsError(
            f"SECRET_KEY: {path} holds no key of {MIN_KEY} random characters: delete it, to have one made"
        )
    return key
