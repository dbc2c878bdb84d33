"""The JSON API, ``/api/v1``: AIDR Bastion's paths and shapes, and what they lack."""

from flask import Blueprint, Flask

from bastion.api import events, flow, metrics, openapi, rule_exceptions, rules, triggers
from bastion.extensions import csrf


def register(app: Flask) -> None:
    """Adds the API's routes to the application."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    for module in (flow, rules, rule_exceptions, events, triggers, openapi):
        module.add_routes(blueprint)
    # Tokens travel in headers that no other site can make a browser send, so there is no forgery to guard against.
    csrf.exempt(blueprint)
    app.register_blueprint(blueprint)
    metrics.add_route(app)
