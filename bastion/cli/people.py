"""``flask user ...`` and ``flask token ...``: who may come in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click
from flask.cli import AppGroup

from bastion.cli.refusing import refusing
from bastion.runtime import runtime
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Scope, lifetime_of

ROLES: Final = [role.value for role in Role]

token = AppGroup("token", help="API tokens.")
user = AppGroup("user", help="Accounts for the pages.")


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.ANALYZE.value],
    show_default=True,
    help="What it may do; may be given several times.",
)
@click.option("--source", help="What all of its events name as their source.")
@click.option("--expires", metavar="TIME", help="Such as 90d, 12h, 4w. Without it the token never ends.")
@refusing
def token_create(name: str, scopes: tuple[str, ...], source: str | None, expires: str | None) -> None:
    """Make a token and print it: it cannot be shown again."""
    lifetime = lifetime_of(expires) if expires else None
    click.echo(runtime().tokens.create(name, map(Scope, scopes), source=source, lifetime=lifetime))


@token.command("list")
@refusing
def token_list() -> None:
    """Every token: what it may do, its source, its end, its last use."""
    used = runtime().tokens.last_used()
    rows = [
        (
            name,
            ",".join(entry.scopes) or "nothing",
            entry.source or "as sent",
            ("ended " if entry.expired else "") + (_day(entry.expires_at) or "never ends"),
            f"used {_day(used.get(name))}" if name in used else "never used",
        )
        for name, entry in runtime().tokens.all().items()
    ]
    _table(rows)


@token.command("revoke")
@click.argument("name")
@refusing
def token_revoke(name: str) -> None:
    """End a token at once, for every worker."""
    runtime().tokens.revoke(name)


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default=Role.VIEWER.value, show_default=True)
@click.password_option()
@refusing
def user_add(name: str, role: str, password: str) -> None:
    """Make an account."""
    runtime().accounts.add(name, Role(role), password)


@user.command("passwd")
@click.argument("name")
@click.password_option()
@refusing
def user_passwd(name: str, password: str) -> None:
    """Set an account's password; its sessions end."""
    runtime().accounts.set_password(name, password)


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@refusing
def user_role(name: str, role: str) -> None:
    """Change what an account may do, from its next request on."""
    runtime().accounts.set_role(name, Role(role))


@user.command("disable")
@click.argument("name")
@refusing
def user_disable(name: str) -> None:
    """Let an account in no more; its sessions end at their next request."""
    runtime().accounts.disable(name)


@user.command("enable")
@click.argument("name")
@refusing
def user_enable(name: str) -> None:
    """Let a disabled account log in again."""
    runtime().accounts.enable(name)


@user.command("list")
@refusing
def user_list() -> None:
    """Every account: role, how it logs in, whether it may."""
    _table(
        [
            (name, entry.role.value, entry.origin.value, "disabled" if entry.disabled else "enabled")
            for name, entry in runtime().accounts.all().items()
        ]
    )


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else ""
