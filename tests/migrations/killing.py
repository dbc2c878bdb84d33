"""A migration that is killed: SIGKILL just before its nth statement, or its commit."""

import os
import signal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bastion import create_app


def migrate_and_die(url: str, instance: str, command: list[str], statement: int) -> None:
    """Ends with SIGKILL before the nth SQL statement or commit; with 0 when there are fewer, with 1 on an error."""
    left = statement

    def count(*_arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    sa.event.listen(sa.Engine, "commit", count)
    os.chdir(Path(instance).parent)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    app = create_app(database_url=url, bastion_instance=instance)
    done = app.test_cli_runner().invoke(args=["db", *command])
    raise SystemExit(done.exit_code)
