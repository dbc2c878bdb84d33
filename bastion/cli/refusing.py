"""Errors as a person at a terminal wants to read them."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click
from sqlalchemy.exc import DBAPIError

from bastion.errors import BastionError

Given = ParamSpec("Given")


def refusing(command: Callable[Given, None]) -> Callable[Given, None]:
    """Turns Bastion's own errors, and a database that is away, into the one line that a person wants to read."""

    @wraps(command)
    def wrapped(*arguments: Given.args, **options: Given.kwargs) -> None:
        try:
            command(*arguments, **options)
        except BastionError as error:
            raise click.ClickException(str(error)) from None
        except DBAPIError as error:
            raise click.ClickException(f"the database cannot be used: {error.orig}") from None

    return wrapped
