"""Who may do what: one table, route by route. A route that is not in it answers nobody."""

import logging
from enum import StrEnum
from typing import Final

from flask import abort, g, redirect, request, url_for
from flask_login import UserMixin, current_user
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from bastion.runtime import runtime
from bastion.services.accounts import Account, Role
from bastion.services.tokens import Scope

log = logging.getLogger(__name__)


class Right(StrEnum):
    """What a route asks of its caller."""

    PUBLIC = "public"
    VIEW = "view"
    EDIT = "edit"
    MANAGE = "manage"
    ANALYZE = "analyze"
    READ = "read"
    WRITE = "write"


BY_ROLE: Final = {
    Role.VIEWER: {Right.VIEW},
    Role.ANALYST: {Right.VIEW, Right.EDIT},
    Role.ADMIN: {Right.VIEW, Right.EDIT, Right.MANAGE},
}
BY_SCOPE: Final = {Scope.ANALYZE: Right.ANALYZE, Scope.READ: Right.READ, Scope.WRITE: Right.WRITE}

ROUTES: Final = {
    "static": Right.PUBLIC,
    "bootstrap.static": Right.PUBLIC,
    "probes.healthz": Right.PUBLIC,
    "probes.readyz": Right.PUBLIC,
    "auth.login": Right.PUBLIC,
    "auth.logout": Right.VIEW,
    "dashboard.overview": Right.VIEW,
    "rules.index": Right.VIEW,
    "rules.show": Right.VIEW,
    "rules.new": Right.EDIT,
    "rules.edit": Right.EDIT,
    "rules.toggle": Right.EDIT,
    "rules.archive": Right.EDIT,
    "rules.restore": Right.EDIT,
    "rules.delete": Right.MANAGE,
    "events.index": Right.VIEW,
    "events.show": Right.VIEW,
    "triggers.index": Right.VIEW,
    "playground.analyse": Right.VIEW,
    "system.show": Right.VIEW,
    "api.run_flow": Right.ANALYZE,
    "api.list_flows": Right.READ,
    "api.list_rules": Right.READ,
    "api.get_rule": Right.READ,
    "api.create_rule": Right.WRITE,
    "api.update_rule": Right.WRITE,
    "api.delete_rule": Right.WRITE,
    "api.toggle_rule": Right.WRITE,
    "api.list_events": Right.READ,
    "api.recent_events": Right.READ,
    "api.event_stats": Right.READ,
    "api.get_event": Right.READ,
    "api.get_event_by_task": Right.READ,
}


class User(UserMixin):  # type: ignore[misc]
    """An account as Flask-Login holds it: its id carries the stamp, so that a new password ends old sessions."""

    def __init__(self, account: Account) -> None:
        self.name = account.name
        self.role = account.role
        self.rights = BY_ROLE[account.role]
        self.stamp = account.stamp

    def get_id(self) -> str:
        return f"{self.name}:{self.stamp}"

    def may(self, right: Right) -> bool:
        return right in self.rights


def load_user(session_id: str) -> User | None:
    """The account of a session, if it still is that account's."""
    name, _, stamp = session_id.rpartition(":")
    account = runtime().accounts.get(name)
    return User(account) if account and account.stamp == stamp else None


def guard() -> Response | None:
    """Runs before every request: lets pass whoever has the route's right."""
    endpoint = request.endpoint
    if endpoint is None:
        return None
    right = ROUTES.get(endpoint)
    if right is None:
        log.error("the route %s is not in the table of rights", endpoint)
        abort(403)
    if right is Right.PUBLIC:
        return None
    if endpoint.startswith("api."):
        _guard_api(right)
        return None
    return _guard_page(right)


def _guard_page(right: Right) -> Response | None:
    if not current_user.is_authenticated:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("auth.login", next=wanted))
    if not current_user.may(right):
        abort(403, f"Your role ({current_user.role}) does not allow this.")
    return None


def _guard_api(right: Right) -> None:
    token = runtime().tokens.find(clear) if (clear := presented_token()) else None
    if token is None:
        what = "is not known or no longer valid" if clear else "is missing"
        raise Unauthorized(
            f"the API token {what}: send Authorization: Bearer TOKEN or X-API-Key: TOKEN", www_authenticate=_challenge()
        )
    if right not in {BY_SCOPE[scope] for scope in token.scopes}:
        abort(403, f"the token {token.name!r} lacks the scope {right}")
    g.token = token


def presented_token() -> str | None:
    """The token that the request carries, if any."""
    if key := request.headers.get("X-API-Key"):
        return key.strip()
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" and credentials.strip() else None


def _challenge() -> WWWAuthenticate:
    return WWWAuthenticate("bearer", {"realm": "Bastion"})
