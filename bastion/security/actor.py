"""Who is at it, as the audit log names them."""

import getpass

import click
from flask import g, has_request_context, request

from bastion.security.addresses import address
from bastion.security.request_ids import request_id
from bastion.services.audit.log import Actor


def current_actor() -> Actor:
    """The account or token of the request, or who has called the command."""
    if not has_request_context():
        return _at_a_terminal()
    kind, name = _caller()
    return Actor(kind, name, address(), f"{request.method} {request.endpoint or request.path[:100]}", request_id())


def _caller() -> tuple[str, str | None]:
    if token := g.get("token"):
        return "token", token.name
    # Where Flask-Login keeps it: its current_user would look for the account, and making one asks who is at it.
    user = g.get("_login_user")
    return ("account", user.name) if user is not None and user.is_authenticated else ("nobody", None)


def _at_a_terminal() -> Actor:
    context = click.get_current_context(silent=True)
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = None
    return Actor("command" if context else "process", name, via=_command(context) if context else None)


def _command(context: click.Context) -> str:
    """The command without its arguments, by the name that the guide has for it."""
    return " ".join(["flask", *context.command_path.split()[1:]])
