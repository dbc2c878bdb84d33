"""Gunicorn's configuration: ``gunicorn -c python:bastion.gunicorn wsgi:app``."""

import gc
import logging
import os
import shutil
import socket
import struct
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from flask.helpers import get_debug_flag

from bastion.errors import BastionError
from bastion.gunicorn_worker import forget
from bastion.logs import log_as_json
from bastion.settings import LogFormat, load_settings

try:
    _settings = load_settings()
except BastionError as error:
    raise SystemExit(f"Bastion cannot start.\n{error}") from None
if get_debug_flag():
    raise SystemExit("Bastion cannot start.\nFLASK_DEBUG: must be unset here; `flask run --debug` is for development")

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
workers = _settings.bastion_workers
worker_class = "bastion.gunicorn_worker.SharingWorker"
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
    """Makes the folder through which workers share their metrics, unless the operator has named one; imports the code.

    The folder is best in memory: on a full disk, a worker that writes to it would be killed. What is imported and made
    here is there once, for all workers that are forked; each makes an application of its own.
    """
    if _settings.bastion_log_format is LogFormat.JSON:
        log_as_json(lambda: None)
    if _METRICS not in os.environ:
        memory = Path("/dev/shm")  # noqa: S108 (only a folder of a random name that is our own is made there)
        parent = memory if os.access(memory, os.W_OK) else None
        os.environ[_METRICS] = tempfile.mkdtemp(prefix="bastion-metrics-", dir=parent)
        _made.append(os.environ[_METRICS])
    # Not above: it asks for the folder as it is imported.
    import_module("bastion.app")
    import_module("bastion.engine.projection").make_tables()
    # Collecting garbage would write to these pages, and copy them into each worker.
    gc.collect()
    gc.freeze()


def when_ready(server: Any) -> None:
    """Bounds each wait for a client, and says where to go, once somebody listens there."""
    wait = struct.pack("@ll", _settings.bastion_client_seconds, 0)
    for listener in server.LISTENERS:
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            # What is accepted inherits it. Gunicorn's own timeout is of a worker that does nothing at all: half a
            # request would otherwise hold a thread for ever.
            listener.sock.setsockopt(socket.SOL_SOCKET, direction, wait)
    server.log.info("Bastion serves on http://%s", bind)


def post_fork(server: Any, worker: Any) -> None:
    """Tells the application whether it replaces one that served already: see ``wsgi.py``."""
    if worker.age > server.num_workers:
        os.environ["REPLACES_WORKER"] = "1"


def _in_one_line(record: logging.LogRecord) -> bool:
    """Whoever sends half a request must not fill the log: gunicorn writes a traceback for each."""
    if record.exc_info and isinstance(record.exc_info[1], BlockingIOError):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = "A client sent or took nothing for %d s", (_settings.bastion_client_seconds,)
    return True


def post_worker_init(worker: Any) -> None:
    """Loads the rules before the first request, so that it does not wait for them."""
    worker.log.error_log.addFilter(_in_one_line)
    parts = worker.wsgi.extensions["bastion"]
    parts.vitals.start()
    parts.pruning.start()
    try:
        worker.log.info("The worker is ready: %d rules in force", parts.firewall.rules.current().rules)
    except BastionError as error:
        worker.log.error("The worker is ready without rules: %s; the next request tries again", error)


def worker_exit(_server: Any, worker: Any) -> None:
    """The last request is answered: what is spooled is left to the other workers."""
    # A worker that could not load the application has none.
    if parts := getattr(getattr(worker, "wsgi", None), "extensions", {}).get("bastion"):
        parts.vitals.stop()


def child_exit(_server: Any, worker: Any) -> None:
    """Takes a dead worker's gauges out of the metrics, and its connections out of account; its counts stay."""
    forget(worker.age)
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Removes the folder that was made at the start."""
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)
