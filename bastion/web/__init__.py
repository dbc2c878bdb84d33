"""The pages: server-rendered, usable without JavaScript."""

from flask import Flask

from bastion.extensions import login_manager
from bastion.web import auth, dashboard, events, playground, presentation, probes, rules, system, triggers


def register(app: Flask) -> None:
    """Adds the pages and what their templates use to the application."""
    for module in (auth, dashboard, events, playground, probes, rules, system, triggers):
        app.register_blueprint(module.blueprint)
    presentation.add_to(app)
    login_manager.login_view = "auth.login"
