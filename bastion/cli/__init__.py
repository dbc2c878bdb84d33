"""``flask`` commands: thin layers over services."""

from flask import Flask

from bastion.cli import database, events, migrations, people, rules, scan, setup


def register(app: Flask) -> None:
    """Adds the commands to the application."""
    app.cli.add_command(setup.init)
    app.cli.add_command(scan.scan)
    app.cli.add_command(rules.rules)
    app.cli.add_command(people.token)
    app.cli.add_command(people.user)
    app.cli.add_command(database.database)
    app.cli.add_command(events.events)
    app.cli.add_command(migrations.db, name="db")
