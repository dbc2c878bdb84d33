"""What Prometheus scrapes."""

from flask import Flask
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.wrappers import Response

from bastion.runtime import runtime


def metrics() -> Response:
    """All metrics, of all workers of this host."""
    return Response(runtime().metrics.text(), content_type=CONTENT_TYPE_LATEST)


def add_route(app: Flask) -> None:
    """Where Prometheus looks by itself. It is guarded as a route of the API: see ``bastion.access``."""
    app.add_url_rule("/metrics", "api.metrics", metrics)
