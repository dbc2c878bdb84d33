"""Logging in at an OpenID provider: authorization code with PKCE, state and nonce (Authlib)."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, abort, current_app, flash, redirect, request, session, url_for
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response

from bastion.errors import Conflict, InvalidInput
from bastion.runtime import runtime
from bastion.security.groups import role_of
from bastion.security.patience import NotAsked, Patience
from bastion.security.strangers import note_refused
from bastion.services.people.accounts import Account, Origin
from bastion.settings import Settings
from bastion.web.auth import log_in, own_path

log = logging.getLogger(__name__)
blueprint = Blueprint("single_sign_on", __name__, url_prefix="/login/sso")

_PROVIDER: Final = "bastion"
_NEXT: Final = "after single sign-on"
_SECONDS: Final = 10
_PATIENCE: Final = "bastion.patience with the provider"
_WRONG: Final = (AuthlibBaseError, JoseError, RequestException, ValueError, TypeError, RuntimeError, KeyError)


def register(app: Flask, settings: Settings) -> None:
    """Readies the provider's client; it asks the provider for its addresses and keys when it is first used."""
    if not settings.bastion_oidc_issuer:
        return
    app.extensions[_PATIENCE] = Patience(max(1, settings.bastion_threads // 4))
    OAuth(app).register(
        _PROVIDER,
        client_id=settings.bastion_oidc_client_id,
        client_secret=settings.bastion_oidc_client_secret,
        server_metadata_url=f"{settings.bastion_oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": settings.bastion_oidc_scopes,
            "code_challenge_method": "S256",
            "default_timeout": _SECONDS,
        },
    )


@blueprint.get("/")
def start() -> Response:
    """Sends the browser to the provider."""
    client = _client()
    session[_NEXT] = own_path(request.args.get("next"))
    try:
        with _patience().asking():
            _check_issuer(client)
            answer: Response = client.authorize_redirect(url_for(".callback", _external=True))
    except NotAsked as error:
        return _refused(f"The provider cannot be reached. Try again in {error.seconds} seconds.", error)
    except _WRONG as error:
        return _refused("The provider cannot be reached.", error)
    return answer


@blueprint.get("/callback")
def callback() -> Response:
    """Takes the provider's answer; its groups decide the role."""
    client = _client()
    wanted = own_path(session.get(_NEXT))
    try:
        with _patience().asking():
            claims = _claims(client)
    except NotAsked as error:
        return _refused(f"The provider cannot be reached. Try again in {error.seconds} seconds.", error)
    except _WRONG as error:
        return _refused("The provider's answer is not valid. Try again.", error)
    try:
        account = _account(claims)
    except (Conflict, InvalidInput) as error:
        return _refused(f"You cannot log in: {error}.", error)
    if account is None:
        return _refused("Your account has no access to Bastion.", None)
    log_in(account)
    return redirect(wanted or url_for("dashboard.overview"))


def _check_issuer(client: Any) -> None:
    """Raises ``ValueError`` for a provider that names itself otherwise than it was named to us."""
    named = client.load_server_metadata().get("issuer")
    if named != runtime().settings.bastion_oidc_issuer:
        # It would be kept for as long as the process lives, and it may be of whoever stood in for the provider.
        client.server_metadata.clear()
        raise ValueError(f"the provider names itself {named!r}: BASTION_OIDC_ISSUER must be just that")


def _claims(client: Any) -> Mapping[str, Any]:
    """What the provider says of the user: in the ID token, and where it names no groups, from its userinfo."""
    settings = runtime().settings
    token = client.authorize_access_token(
        claims_options={
            "iss": {"essential": True, "values": [settings.bastion_oidc_issuer]},
            "aud": {"essential": True, "values": [settings.bastion_oidc_client_id]},
        }
    )
    claims: dict[str, Any] = dict(token.get("userinfo") or {})
    if not claims.get("sub"):
        raise ValueError("the provider sent no ID token")
    if not {settings.bastion_oidc_groups_claim, settings.bastion_oidc_name_claim} <= set(claims):
        more = client.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise ValueError("the provider's userinfo is of somebody else")
        claims = {**more, **claims}
    return claims


def _account(claims: Mapping[str, Any]) -> Account | None:
    settings = runtime().settings
    groups = claims.get(settings.bastion_oidc_groups_claim) or ()
    if isinstance(groups, str):
        groups = (groups,)
    role = role_of([str(group) for group in groups], settings)
    if role is None:
        return None
    subject = str(claims["sub"])
    name = str(claims.get(settings.bastion_oidc_name_claim) or subject)
    return runtime().accounts.sign_in_elsewhere(Origin.OIDC, subject, name, role, settings.bastion_oidc_issuer)


def _client() -> Any:
    registry: OAuth | None = current_app.extensions.get("authlib.integrations.flask_client")
    if registry is None:
        abort(404)
    return registry.create_client(_PROVIDER)


def _patience() -> Patience:
    patience: Patience = current_app.extensions[_PATIENCE]
    return patience


def _refused(message: str, error: Exception | None) -> Response:
    log.warning("single sign-on refused: %s", f"{type(error).__name__}: {error}" if error else "no role or disabled")
    note_refused("sign_in.failed", {"account": None}, detail={"by": "oidc", "why": message})
    # What else is in the session stays: a link to this address must not log anybody out.
    for key in [key for key in session if key == _NEXT or key.startswith(f"_state_{_PROVIDER}_")]:
        del session[key]
    flash(message, "danger")
    return redirect(url_for("auth.login"))
