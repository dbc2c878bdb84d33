"""``flask init``."""

import click
from flask.cli import with_appcontext

from bastion.cli.progress import waiting
from bastion.cli.refusing import refusing
from bastion.extensions import db
from bastion.runtime import runtime
from bastion.schema import init_db
from bastion.services.setup import FIRST_SCOPES, first_credentials, load_shipped_rules


@click.command()
@with_appcontext
@refusing
def init() -> None:
    """Make this copy ready to serve: schema, shipped rules, first account and token.

    What is there already stays as it is.
    """
    init_db(auto_migrate=runtime().settings.bastion_auto_migrate)
    loaded = load_shipped_rules(db.session())
    db.session.commit()
    if loaded:
        click.echo(f"Loaded {loaded} rules. Compiling them, once for this host: some seconds.")
        with waiting("Compiling"):
            runtime().firewall.rules.current()
    done = first_credentials(runtime().accounts, runtime().tokens)
    if done.password:
        click.echo(f"Account:   {done.account}\nPassword:  {done.password} (the first login asks for another)")
    if done.token:
        click.echo(f"API token: {done.token} (may: {', '.join(FIRST_SCOPES)})")
    if done.password or done.token:
        click.echo("These are shown once. `flask user passwd` and `flask token create` make others.")
