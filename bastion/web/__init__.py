"""The pages: server-rendered, usable without JavaScript."""

from flask import Flask

from bastion.extensions import login_manager
from bastion.runtime import runtime
from bastion.web import (
    accounts,
    audit,
    auth,
    dashboard,
    event_page,
    events,
    judging,
    playground,
    presentation,
    probes,
    rules,
    single_sign_on,
    system,
    tokens,
    triggers,
    zones,
)


def register(app: Flask) -> None:
    """Adds the pages and what their templates use to the application."""
    _ = event_page, judging  # They add their routes to the lists' blueprints.
    people = (accounts, audit, auth, single_sign_on, tokens)
    for module in (*people, dashboard, events, playground, probes, rules, system, triggers, zones):
        app.register_blueprint(module.blueprint)
    with app.app_context():
        single_sign_on.register(app, runtime().settings)
    presentation.add_to(app)
    login_manager.login_view = "auth.login"
