"""Compilations on disk, so that neither a restart nor another worker of the host compiles again."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bastion.engine.compilation import Compilation, Unsound

log = logging.getLogger(__name__)

KEPT_FILES: Final = 12
"""Compilations that stay on disk: the newest."""

_SUFFIX: Final = ".rules"


class CompilationCache:
    """A folder of compilations by their fingerprints. A file that is not as it was written is deleted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, fingerprint: str) -> Compilation | None:
        """What was stored under that fingerprint, or ``None``."""
        file = self._file(fingerprint)
        try:
            stored = file.read_bytes()
        except OSError:
            return None
        with suppress(OSError):
            os.utime(file)
        try:
            return Compilation.load(stored)
        except Unsound as error:
            log.error("the compiled rules in %s are %s: they are compiled again", file, error)
            self.drop(fingerprint)
            return None

    def put(self, fingerprint: str, compilation: Compilation) -> None:
        """Stores a compilation whole or not at all, and lets go of old ones; where it cannot be stored, says so."""
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as new:
                written = Path(new.name)
                try:
                    new.write(compilation.dump())
                    new.flush()
                    written.replace(self._file(fingerprint))
                except OSError:
                    written.unlink()
                    raise
            for old in sorted(self._folder.glob(f"*{_SUFFIX}"), key=_used, reverse=True)[KEPT_FILES:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the compiled rules cannot be kept in %s: %s", self._folder, error.strerror)

    def drop(self, fingerprint: str) -> None:
        self._file(fingerprint).unlink(missing_ok=True)

    @contextmanager
    def alone(self, *, many: bool = False) -> Iterator[None]:
        """Holds the host's only right to compile: who waits finds the work done. Few wait for no ``many``."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self._folder / ("compiling-many" if many else "compiling")).open("a", encoding="ascii")
        except OSError:
            # Without the folder nothing can be shared, so that each compiles for itself.
            yield
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _file(self, fingerprint: str) -> Path:
        return self._folder / f"{fingerprint}{_SUFFIX}"


def _used(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
