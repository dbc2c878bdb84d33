"""Sessions: signed cookies with an id that can be ended and a beginning that they outlive by no more than a day."""

import hashlib
import re
import secrets
import time
from typing import Any, Final

from flask import Flask, Request, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from bastion.runtime import runtime
from bastion.security.headers import is_static
from bastion.services.people.ended_sessions import MAX_SESSION_SECONDS

_ID: Final = "sid"
_SINCE: Final = "since"
_LOCAL: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_BEHIND_A_PROXY: Final = ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded")


class CookieSessions(SecureCookieSessionInterface):
    """Cookies that a browser sends back over HTTPS alone, and over plain HTTP only to the host that it is on."""

    digest_method = staticmethod(hashlib.sha256)

    def get_cookie_secure(self, _app: Flask) -> bool:
        return not is_plain_local()

    def get_cookie_name(self, _app: Flask) -> str:
        # A browser takes the prefix from no other host and no plain HTTP.
        return "bastion" if is_plain_local() else "__Host-bastion"

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # Programs send a token with each request: to read and write a session would take longer than to judge a text.
        if request.path.startswith("/api/"):
            return self.make_null_session(app)
        return super().open_session(app, request)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        # What a page asks for by itself, every few seconds, must not keep a session from growing old.
        asked_by_page = request.endpoint == "events.newer" and not session.modified
        return not is_static() and not asked_by_page and super().should_set_cookie(app, session)


def is_plain_local() -> bool:
    """Whether the browser is on this host, without TLS. A proxy may ask for 127.0.0.1 as well, and then says so."""
    if request.is_secure or any(name in request.headers for name in _BEHIND_A_PROXY):
        return False
    return _LOCAL.fullmatch(request.host) is not None


def is_plain_remote() -> bool:
    """Whether no session can begin here: a browser keeps no Secure cookie that comes over plain HTTP."""
    return not request.is_secure and not is_plain_local()


def begin_session() -> None:
    """Leaves nothing of the session that was there before the login."""
    session.clear()
    session.permanent = True
    session.update(fresh_session())


def fresh_session() -> dict[str, Any]:
    """What makes a session one of ours, beside its account."""
    return {_ID: secrets.token_urlsafe(16), _SINCE: int(time.time())}


def end_session() -> None:
    """Ends the session for every copy of its cookie."""
    if session_id := session.get(_ID):
        runtime().ended_sessions.end(session_id)
    session.clear()


def is_over() -> bool:
    """Whether the session was logged out, or began too long ago, or was not begun by a login."""
    session_id, since = session.get(_ID), session.get(_SINCE)
    if not isinstance(session_id, str) or not isinstance(since, int):
        return True
    return time.time() - since > MAX_SESSION_SECONDS or runtime().ended_sessions.has(session_id)
