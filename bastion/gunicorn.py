"""Gunicorn's configuration: ``gunicorn -c python:bastion.gunicorn wsgi:app``."""

from typing import Any

from bastion.errors import BastionError
from bastion.settings import load_settings

try:
    _settings = load_settings()
except BastionError as error:
    raise SystemExit(f"Bastion cannot start.\n{error}") from None

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
workers = _settings.bastion_workers
worker_class = "gthread"
threads = _settings.bastion_threads
timeout = 60
graceful_timeout = 30
# Gunicorn would otherwise open a socket under the home directory.
control_socket_disable = True
proc_name = "bastion"


def when_ready(server: Any) -> None:
    """Says where to go, once somebody listens there."""
    server.log.info("Bastion serves on http://%s", bind)


def post_worker_init(worker: Any) -> None:
    """Loads the rules before the first request, so that it does not wait for them."""
    try:
        worker.wsgi.extensions["bastion"].firewall.rules.current()
    except BastionError as error:
        worker.log.error("%s; the next request tries again", error)
