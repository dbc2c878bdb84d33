"""Puts the parts together: settings in, a Flask application out."""

import logging
import os
from typing import Any

import sqlalchemy as sa
from dotenv import dotenv_values
from flask import Flask, request
from flask_bootstrap import Bootstrap5
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from bastion import access, api, cli, web
from bastion.api import errors as api_errors
from bastion.compiler.caching import CachingCompiler
from bastion.compiler.process import shared_process
from bastion.compiler.trying import TryingCompiler
from bastion.errors import DatabaseUnavailable, SettingsError
from bastion.extensions import csrf, db, login_manager, migrate
from bastion.firewall.analysis import Firewall
from bastion.firewall.flows import load_flows
from bastion.firewall.live import LiveRules
from bastion.firewall.recording import Recorder
from bastion.runtime import Runtime
from bastion.services.accounts import Accounts
from bastion.services.instance_files import secret_key
from bastion.services.tokens import Tokens
from bastion.settings import ROOT, Settings, unsupported_variables
from bastion.web import errors as web_errors

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
"""A text of 1 MiB takes up to six times as much when every character is a JSON escape."""


def build_app(settings: Settings) -> Flask:
    """An application of these settings; it opens no connection and starts no thread until it is used."""
    _make_folders(settings)
    app = Flask(
        "bastion",
        root_path=str(ROOT),
        instance_path=str(settings.instance),
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
    )
    app.config.update(
        SECRET_KEY=settings.secret_key or secret_key(settings.instance / "secret_key"),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings),
        SQLALCHEMY_ECHO=settings.database_echo,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _bind_extensions(app, settings)
    app.extensions["bastion"] = _runtime(app, settings)
    app.before_request(_refuse_nul)
    app.before_request(access.guard)
    app.after_request(_security_headers)
    app.register_error_handler(Exception, _answer_error)
    api.register(app)
    web.register(app)
    cli.register(app)
    _name_unsupported(app)
    return app


def _make_folders(settings: Settings) -> None:
    folders = {"BASTION_INSTANCE": settings.instance}
    if settings.sqlite_file:
        folders["DATABASE_URL"] = settings.sqlite_file.parent
    for variable, folder in folders.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{variable}: the folder {folder} cannot be made: {error.strerror}") from None


def _engine_options(settings: Settings) -> dict[str, Any]:
    if settings.sqlite_file:
        return {"connect_args": {"timeout": 15}}
    return {
        "pool_size": settings.database_pool_size,
        "max_overflow": settings.database_max_overflow,
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": 5, "application_name": "bastion"},
    }


def _bind_extensions(app: Flask, settings: Settings) -> None:
    db.init_app(app)
    # One transaction a revision and batches for SQLite: see migrations/env.py.
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), render_as_batch=True)
    csrf.init_app(app)
    login_manager.init_app(app)
    login_manager.user_loader(access.load_user)
    Bootstrap5(app)
    if settings.sqlite_file:
        with app.app_context():
            sa.event.listen(db.engine, "connect", _prepare_sqlite)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers beside a writer, durable commits, and foreign keys that hold."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _runtime(app: Flask, settings: Settings) -> Runtime:
    with app.app_context():
        database = db.engine
    compiler = CachingCompiler(settings.instance / "cache", shared_process("build"), shared_process("settle"))
    firewall = Firewall(
        load_flows(settings.flows_file),
        LiveRules(database, compiler),
        Recorder(database),
        settings.database_save_prompt,
    )
    return Runtime(
        settings, firewall, TryingCompiler(compiler.signs), Accounts(settings.instance), Tokens(settings.instance))


def _answer_error(error: Exception) -> Response:
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        log.error("the database failed: %s", type(error).__name__, exc_info=error)
        error = DatabaseUnavailable("the database cannot be reached or is busy: try again in a moment")
    if request.path.startswith("/api/"):
        return api_errors.answer_error(error)
    return web_errors.answer_error(error)


def _refuse_nul() -> None:
    """No address has a NUL in it, and PostgreSQL refuses one in any text that it is asked for."""
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise BadRequest("the address has a NUL character")


def _security_headers(response: Response) -> Response:
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def _name_unsupported(app: Flask) -> None:
    """Says which variables and pipelines have no effect here: silence would look like support."""
    found = unsupported_variables(sorted({*os.environ, *dotenv_values(".env")}))
    if found:
        log.warning("these variables mean nothing to Bastion and are ignored: %s", ", ".join(found))
    for flow in app.extensions["bastion"].firewall.flows:
        if flow.unavailable:
            log.warning("the flow %r names pipelines that do not run here: %s", flow.name, ", ".join(flow.unavailable))
