"""The rules that ship, compiled once for all tests of a run, as they are once for all servers of a host."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = "COMPILED_RULES_OF_THE_TESTS"


@cache
def compiled_rules() -> Path:
    """The folder for what was compiled: of the process that asks first, with which it goes, and of its children."""
    if _FOLDER not in os.environ:
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="bastion-rules-")
        atexit.register(shutil.rmtree, os.environ[_FOLDER])
    return Path(os.environ[_FOLDER])


def share_compiled_rules(instance: Path) -> None:
    """Has an instance that has compiled nothing yet find and leave its compiled rules in that folder."""
    instance.mkdir(parents=True, exist_ok=True)
    if not (instance / "cache").exists():
        (instance / "cache").symlink_to(compiled_rules())
