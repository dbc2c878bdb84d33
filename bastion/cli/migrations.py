"""``flask db``: Flask-Migrate's commands, with a downgrade that takes ``-1`` as the guide types it."""

from copy import copy

import click
from flask_migrate.cli import db as as_shipped  # type: ignore[import-not-found]


def _with_steps_back() -> click.Group:
    downgrade = copy(as_shipped.commands["downgrade"])
    # Click would take the -1 for an option that there is not.
    downgrade.context_settings = {**downgrade.context_settings, "ignore_unknown_options": True}
    group: click.Group = copy(as_shipped)
    group.commands = {**as_shipped.commands, "downgrade": downgrade}
    return group


db = _with_steps_back()
