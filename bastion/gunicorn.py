"""Gunicorn's configuration: ``gunicorn -c python:bastion.gunicorn wsgi:app``."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bastion.errors import BastionError
from bastion.logs import log_as_json
from bastion.settings import LogFormat, load_settings

try:
    _settings = load_settings()
except BastionError as error:
    raise SystemExit(f"Bastion cannot start.\n{error}") from None

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
workers = _settings.bastion_workers
worker_class = "gthread"
threads = _settings.bastion_threads
# A worker that answers nobody for so long is ended.
timeout = 60
graceful_timeout = 30
keepalive = 5
limit_request_line = 8190
limit_request_fields = 64
# Whom to believe about addresses and TLS is BASTION_PROXIES' to say, not gunicorn's.
forwarded_allow_ips = ""
forwarder_headers = ""
# Gunicorn would otherwise open a socket under the home directory.
control_socket_disable = True
proc_name = "bastion"

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_made: list[str] = []


def on_starting(_server: Any) -> None:
    """Makes the folder through which workers share their metrics, unless the operator has named one.

    It is best in memory: on a full disk, a worker that writes to it would be killed.
    """
    if _settings.bastion_log_format is LogFormat.JSON:
        log_as_json(lambda: None)
    if _METRICS not in os.environ:
        memory = Path("/dev/shm")  # noqa: S108 (only a folder of a random name that is our own is made there)
        parent = memory if os.access(memory, os.W_OK) else None
        os.environ[_METRICS] = tempfile.mkdtemp(prefix="bastion-metrics-", dir=parent)
        _made.append(os.environ[_METRICS])


def when_ready(server: Any) -> None:
    """Says where to go, once somebody listens there."""
    server.log.info("Bastion serves on http://%s", bind)


def post_worker_init(worker: Any) -> None:
    """Loads the rules before the first request, so that it does not wait for them."""
    parts = worker.wsgi.extensions["bastion"]
    parts.vitals.start()
    parts.pruning.start()
    try:
        parts.firewall.rules.current()
    except BastionError as error:
        worker.log.error("%s; the next request tries again", error)


def worker_exit(_server: Any, worker: Any) -> None:
    """The last request is answered: what is spooled is left to the other workers."""
    # A worker that could not load the application has none.
    if parts := getattr(getattr(worker, "wsgi", None), "extensions", {}).get("bastion"):
        parts.vitals.stop()


def child_exit(_server: Any, worker: Any) -> None:
    """Takes a dead worker's gauges out of the metrics; its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Removes the folder that was made at the start."""
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)
