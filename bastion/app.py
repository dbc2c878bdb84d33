"""Puts the parts together: settings in, a Flask application out."""

import logging
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dotenv import dotenv_values
from flask import Flask, request
from flask_bootstrap import Bootstrap5
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from bastion import access, api, cli, web
from bastion.api import errors as api_errors
from bastion.api.quick_run import QuickRun
from bastion.compiler.caching import CachingCompiler
from bastion.compiler.process import shared_process
from bastion.compiler.trying import TryingCompiler
from bastion.database.connections import engine_options, prepare_connections
from bastion.errors import DatabaseUnavailable, SettingsError
from bastion.extensions import csrf, db, login_manager, migrate
from bastion.firewall.analysis import Firewall
from bastion.firewall.flows import load_flows
from bastion.firewall.kept_rules import RULES_FILE, KeptRules
from bastion.firewall.live import LiveRules
from bastion.firewall.spool import Spool
from bastion.firewall.storing import event_store
from bastion.firewall.vitals import Vitals
from bastion.firewall.writer import Recorder
from bastion.logs import log_as_json
from bastion.metrics import Metrics
from bastion.runtime import Runtime, runtime
from bastion.security.actor import current_actor
from bastion.security.addresses import trust_proxies
from bastion.security.exports import note_exports
from bastion.security.forgery import refuse_cross_site
from bastion.security.forms import BoundedRequest
from bastion.security.headers import add_headers
from bastion.security.request_ids import add_request_ids, request_id
from bastion.security.sessions import CookieSessions
from bastion.services.audit.changes import audit_changes
from bastion.services.audit.log import AUDIT_FILE, AuditLog
from bastion.services.events.daily_pruning import DailyPruning
from bastion.services.instance_files import database_files, make_private, secret_key
from bastion.services.limits import Limits
from bastion.services.people.accounts import Accounts
from bastion.services.people.ended_sessions import IDLE_SESSION_SECONDS, EndedSessions
from bastion.services.people.tokens import Tokens
from bastion.services.shared_state import STATE_FILE, SharedState
from bastion.settings import ROOT, LogFormat, Settings, unsupported_variables
from bastion.web import errors as web_errors

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

_PRIVATE = ("accounts.", "tokens.", "secret_key", AUDIT_FILE, "state.", RULES_FILE)
"""How the names of files begin that nobody but their owner may read, besides the database."""

MAX_BODY_BYTES = 8 * 1024 * 1024
"""A text of 1 MiB takes up to six times as much when every character is a JSON escape."""


class _Plain(Flask):
    """Flask without coroutines: it would ask of each hook, for each request, whether it is one."""

    request_class = BoundedRequest

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self.quick_run(environ, start_response)

    @cached_property
    def quick_run(self) -> QuickRun:
        return QuickRun(self, super().wsgi_app)

    def do_teardown_appcontext(self, *how: Any) -> None:
        """Gives the session back. When its connection broke after the answer was made, nothing is left to roll back."""
        try:
            super().do_teardown_appcontext(*how)
        except (OperationalError, InterfaceError) as error:
            log.warning("the database went away while a request ended: %s", type(error).__name__)
            db.session.registry.clear()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def build_app(settings: Settings) -> Flask:
    """An application of these settings; it opens no connection and starts no thread until it is used."""
    _make_folders(settings)
    files = [path for path in settings.instance.iterdir() if path.name.startswith(_PRIVATE)]
    make_private(settings.instance, *files, *(database_files(settings.sqlite_file) if settings.sqlite_file else ()))
    app = _Plain(
        "bastion",
        root_path=str(ROOT),
        instance_path=str(settings.instance),
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
    )
    app.config.update(
        SECRET_KEY=settings.secret_key or secret_key(settings.instance / "secret_key"),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings),
        SQLALCHEMY_ECHO=settings.database_echo,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=100,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # Renewed by every answer: so long without a request, and the session is over.
        PERMANENT_SESSION_LIFETIME=IDLE_SESSION_SECONDS,
        WTF_CSRF_TIME_LIMIT=None,
        # It wants a Referer, which our pages do not send: see security.forgery.
        WTF_CSRF_SSL_STRICT=False,
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.session_interface = CookieSessions()
    trust_proxies(app, settings.bastion_proxies)
    add_request_ids(app)
    if settings.bastion_log_format is LogFormat.JSON:
        log_as_json(request_id)
    add_headers(app)
    note_exports(app)
    refuse_cross_site(app)
    _bind_extensions(app, settings)
    app.extensions["bastion"] = _runtime(app, settings)
    app.before_request(_refuse_nul)
    app.before_request(access.guard)
    app.after_request(_count)
    app.register_error_handler(Exception, _answer_error)
    api.register(app)
    web.register(app)
    cli.register(app)
    _name_unsupported(app)
    _name_strangers(settings)
    return app


def _make_folders(settings: Settings) -> None:
    folders = {"BASTION_INSTANCE": settings.instance}
    if settings.sqlite_file:
        folders["DATABASE_URL"] = settings.sqlite_file.parent
    for variable, folder in folders.items():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{variable}: the folder {folder} cannot be made: {error.strerror}") from None


def _bind_extensions(app: Flask, settings: Settings) -> None:
    db.init_app(app)
    # One transaction a revision and batches for SQLite: see migrations/env.py.
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), render_as_batch=True)
    csrf.init_app(app)
    login_manager.init_app(app)
    login_manager.user_loader(access.load_user)
    login_manager.request_loader(access.load_user_of_proxy)
    audit_changes(db.session.session_factory, lambda: runtime().audit.note)
    Bootstrap5(app)
    if settings.sqlite_file:
        files = database_files(settings.sqlite_file)
        with app.app_context():
            sa.event.listen(db.engine, "connect", lambda _connection, _record: make_private(*files))
    with app.app_context():
        prepare_connections(db.engine, settings)


def _runtime(app: Flask, settings: Settings) -> Runtime:
    with app.app_context():
        database = db.engine
    compiler = CachingCompiler(settings.instance / "cache", shared_process("build"), shared_process("settle"))
    metrics = Metrics()
    synchronous = settings.bastion_sqlite_synchronous.value
    spool = Spool(settings.instance / "spool", settings.bastion_spool_max_mb * 1024 * 1024)
    firewall = Firewall(
        load_flows(settings.flows_file),
        LiveRules(database, compiler, KeptRules(settings.instance / RULES_FILE, database.url)),
        Recorder(lambda: event_store(database, synchronous), spool, metrics),
        settings.database_save_prompt,
        metrics,
    )
    state = SharedState(settings.instance / STATE_FILE)
    audit = AuditLog(settings.instance / AUDIT_FILE, current_actor)
    return Runtime(
        settings,
        firewall,
        metrics,
        Vitals(firewall, database),
        DailyPruning(database, settings.instance, settings.bastion_retention_days, audit.note),
        TryingCompiler(compiler.signs),
        Accounts(settings.instance, audit.note),
        Tokens(settings.instance, audit.note, state),
        audit,
        Limits(state),
        EndedSessions(state),
    )


def _answer_error(error: Exception) -> Response:
    if _is_of_the_database(error):
        log.error("the database failed: %s", type(error).__name__, exc_info=error)
        error = DatabaseUnavailable("the database cannot be reached or is busy: try again in a moment")
    if request.path.startswith("/api/"):
        return api_errors.answer_error(error)
    return web_errors.answer_error(error)


def _is_of_the_database(error: Exception) -> bool:
    """Whether the database, and not what was asked of it, is at fault: it is away, busy, or takes no changes."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, PoolTimeout)


def _count(response: Response) -> Response:
    # What is no route of ours has whatever name and method its sender liked.
    known = request.endpoint is not None
    runtime().metrics.answered(request.endpoint or "none", request.method if known else "any", response.status_code)
    return response


def _refuse_nul() -> None:
    """No address has a NUL in it, and PostgreSQL refuses one in any text that it is asked for."""
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise BadRequest("the address has a NUL character")


def _name_unsupported(app: Flask) -> None:
    """Says which variables and pipelines have no effect here: silence would look like support."""
    found = unsupported_variables(sorted({*os.environ, *dotenv_values(".env")}))
    if found:
        log.warning("these variables mean nothing to Bastion and are ignored: %s", ", ".join(found))
    for flow in app.extensions["bastion"].firewall.flows:
        if flow.unavailable:
            log.warning("the flow %r names pipelines that do not run here: %s", flow.name, ", ".join(flow.unavailable))


def _name_strangers(settings: Settings) -> None:
    """Says loudly who may come in without a token or on somebody else's word."""
    if settings.bastion_anonymous_networks:
        log.warning(
            "ANYBODY in %s may have texts judged and recorded WITHOUT A TOKEN (BASTION_ANONYMOUS_NETWORKS)",
            ", ".join(map(str, settings.bastion_anonymous_networks)),
        )
    if settings.bastion_proxy_user_header:
        log.warning(
            "whoever %s sends in %s is logged in as that user (BASTION_PROXY_USER_HEADER)",
            ", ".join(map(str, settings.bastion_proxy_addresses)),
            settings.bastion_proxy_user_header,
        )
