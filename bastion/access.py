"""Who may do what: one table, route by route. A route that is not in it answers nobody."""

import logging
from enum import StrEnum
from typing import Final

from flask import Request, abort, g, redirect, request, url_for
from flask_login import UserMixin, current_user
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized
from werkzeug.wrappers import Response

from bastion.errors import BastionError, DatabaseUnavailable
from bastion.runtime import runtime
from bastion.security.addresses import address, is_in, neighbourhood
from bastion.security.proxy_users import proxy_account
from bastion.security.sessions import is_over
from bastion.security.strangers import note_refused
from bastion.services.limits import Limit
from bastion.services.people.accounts import Account, Role
from bastion.services.people.tokens import Scope, Token

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
    METRICS = "metrics"


BY_ROLE: Final = {
    Role.VIEWER: {Right.VIEW},
    Role.ANALYST: {Right.VIEW, Right.EDIT},
    Role.ADMIN: {Right.VIEW, Right.EDIT, Right.MANAGE},
}
BY_SCOPE: Final = {
    Scope.ANALYZE: Right.ANALYZE,
    Scope.READ: Right.READ,
    Scope.WRITE: Right.WRITE,
    Scope.METRICS: Right.METRICS,
}

WITHOUT_TOKEN: Final = Token("(no token)", frozenset({Scope.ANALYZE}))
"""The caller from one of ``BASTION_ANONYMOUS_NETWORKS``."""

_BEFORE_THE_CHANGE: Final = ("accounts.own_password", "auth.logout")
"""What is open to somebody whose password was made by another person."""

ROUTES: Final = {
    "static": Right.PUBLIC,
    "bootstrap.static": Right.PUBLIC,
    "probes.healthz": Right.PUBLIC,
    "probes.readyz": Right.PUBLIC,
    "auth.login": Right.PUBLIC,
    "single_sign_on.start": Right.PUBLIC,
    "single_sign_on.callback": Right.PUBLIC,
    "auth.logout": Right.VIEW,
    "accounts.own_password": Right.VIEW,
    "accounts.index": Right.MANAGE,
    "accounts.add": Right.MANAGE,
    "accounts.change_role": Right.MANAGE,
    "accounts.disable": Right.MANAGE,
    "accounts.enable": Right.MANAGE,
    "accounts.reset_password": Right.MANAGE,
    "tokens.index": Right.MANAGE,
    "tokens.create": Right.MANAGE,
    "tokens.revoke": Right.MANAGE,
    "audit.index": Right.MANAGE,
    "dashboard.overview": Right.VIEW,
    "dashboard.numbers": Right.VIEW,
    "rules.index": Right.VIEW,
    "rules.export": Right.VIEW,
    "rules.show": Right.VIEW,
    "rules.pattern": Right.VIEW,
    "rules.activity": Right.VIEW,
    "rules.triggers": Right.VIEW,
    "rules.history": Right.VIEW,
    "rules.backtest": Right.VIEW,
    "rules.backtest_draft": Right.EDIT,
    "rules.rollout": Right.EDIT,
    "rules.exceptions": Right.VIEW,
    "rules.new_exception": Right.EDIT,
    "rules.remove_exception": Right.EDIT,
    "rules.bulk": Right.EDIT,
    "rules.check": Right.EDIT,
    "rules.restore_version": Right.EDIT,
    "rules.new": Right.EDIT,
    "rules.edit": Right.EDIT,
    "rules.toggle": Right.EDIT,
    "rules.archive": Right.EDIT,
    "rules.restore": Right.EDIT,
    "rules.delete": Right.MANAGE,
    "rules.import": Right.MANAGE,
    "rules.apply_import": Right.MANAGE,
    "zones.choose": Right.VIEW,
    "events.index": Right.VIEW,
    "events.facets": Right.VIEW,
    "events.newer": Right.VIEW,
    "events.export": Right.VIEW,
    "events.show": Right.VIEW,
    "events.raw": Right.VIEW,
    "events.rerun": Right.VIEW,
    "events.start_rule": Right.EDIT,
    "triggers.index": Right.VIEW,
    "triggers.judge": Right.EDIT,
    "triggers.confirm_all": Right.EDIT,
    "triggers.judge_all": Right.EDIT,
    "triggers.judged": Right.EDIT,
    "triggers.undo_all": Right.EDIT,
    "triggers.facets": Right.VIEW,
    "triggers.export": Right.VIEW,
    "playground.analyse": Right.VIEW,
    "system.show": Right.VIEW,
    "api.run_flow": Right.ANALYZE,
    "api.run_flow_batch": Right.ANALYZE,
    "api.metrics": Right.METRICS,
    "api.list_flows": Right.READ,
    "api.list_rules": Right.READ,
    "api.get_rule": Right.READ,
    "api.create_rule": Right.WRITE,
    "api.update_rule": Right.WRITE,
    "api.delete_rule": Right.WRITE,
    "api.toggle_rule": Right.WRITE,
    "api.add_exception": Right.WRITE,
    "api.remove_exception": Right.WRITE,
    "api.rule_history": Right.READ,
    "api.list_events": Right.READ,
    "api.recent_events": Right.READ,
    "api.event_stats": Right.READ,
    "api.get_event": Right.READ,
    "api.get_event_by_task": Right.READ,
    "api.openapi": Right.READ,
    "api.list_triggers": Right.READ,
    "api.judge_trigger": Right.WRITE,
}


class User(UserMixin):  # type: ignore[misc]
    """An account as Flask-Login holds it: its id carries the stamp, so that a new password ends old sessions."""

    def __init__(self, account: Account) -> None:
        self.name = account.name
        self.role = account.role
        self.rights = BY_ROLE[account.role]
        self.stamp = account.stamp
        self.must_change = account.must_change

    def get_id(self) -> str:
        return f"{self.name}:{self.stamp}"

    def may(self, right: Right) -> bool:
        return right in self.rights


def load_user(user_id: str) -> User | None:
    """The account of a session, if it still is that account's and the session is not over."""
    name, _, stamp = user_id.rpartition(":")
    try:
        account = runtime().accounts.get(name)
        return User(account) if account and account.stamp == stamp and not is_over() else None
    except BastionError as error:
        # Who cannot be looked up is nobody; and the page of an error asks who looks at it.
        log.error("nobody is logged in while this lasts: %s", error)
        return None


def load_user_of_proxy(_request: Request) -> User | None:
    """The account of whoever a trusted proxy names, where there is no session."""
    account = proxy_account()
    return User(account) if account else None


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
        runtime().audit.note("denied", {"right": right.value})
        abort(403, f"Your role ({current_user.role}) does not allow this.")
    if current_user.must_change and request.endpoint not in _BEFORE_THE_CHANGE:
        return redirect(url_for("accounts.own_password"))
    return None


def _guard_api(right: Right) -> None:
    clear = presented_token()
    token = runtime().tokens.find(clear) if clear else _anonymous(right)
    if token is None:
        if clear:
            note_refused("token.refused")
        what = "is not known or no longer valid" if clear else "is missing"
        raise Unauthorized(
            f"the API token {what}: send Authorization: Bearer TOKEN or X-API-Key: TOKEN", www_authenticate=_challenge()
        )
    g.token = token
    if right not in {BY_SCOPE[scope] for scope in token.scopes}:
        runtime().audit.note("denied", {"right": right.value})
        abort(403, f"the token {token.name!r} lacks the scope {right}")
    _limit(token)


def _anonymous(right: Right) -> Token | None:
    """What a network that was named for it may do without a token: have texts judged, and nothing else."""
    if right is Right.ANALYZE and is_in(address(), runtime().settings.bastion_anonymous_networks):
        return WITHOUT_TOKEN
    return None


def _limit(token: Token) -> None:
    """Raises ``TooManyRequests`` for a token that has asked more often than ``BASTION_API_RATE``."""
    rate = runtime().settings.bastion_api_rate
    if not rate:
        return
    key = neighbourhood() if token is WITHOUT_TOKEN else token.name
    try:
        wait = runtime().limits.take("api", key, Limit(burst=max(1, rate // 6), seconds=60 / rate))
    except DatabaseUnavailable as error:
        # To judge a text too many is better than to judge none.
        log.error("requests are not limited: %s", error)
        return
    if wait:
        raise TooManyRequests(f"more than {rate} requests a minute: try again in {wait} s", retry_after=wait)


def presented_token() -> str | None:
    """The token that the request carries, if any."""
    return token_of(request.headers.get("X-API-Key"), request.headers.get("Authorization"))


def token_of(key: str | None, authorization: str | None) -> str | None:
    """The token in the values of the two headers that may carry one."""
    if key:
        return key.strip()
    scheme, _, credentials = (authorization or "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" and credentials.strip() else None


def _challenge() -> WWWAuthenticate:
    return WWWAuthenticate("bearer", {"realm": "Bastion"})
