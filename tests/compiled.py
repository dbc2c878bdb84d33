"""The rules that ship, compiled once for all tests of a run, as they are once for all servers of a host."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def compiled_rules() -> Path:
    """The folder for what was compiled; it goes when the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="bastion-rules-"))
    atexit.register(shutil.rmtree, folder)
    return folder


def share_compiled_rules(instance: Path) -> None:
    """Has an instance that has compiled nothing yet find and leave its compiled rules in that folder."""
    instance.mkdir(parents=True, exist_ok=True)
    if not (instance / "cache").exists():
        (instance / "cache").symlink_to(compiled_rules())
