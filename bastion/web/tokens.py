"""API tokens, for admins."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput
from bastion.runtime import runtime
from bastion.services.people.tokens import Scope, lifetime_of
from bastion.web.account_forms import TokenForm

blueprint = Blueprint("tokens", __name__, url_prefix="/tokens")


@blueprint.get("/")
def index() -> str:
    """Every token, with what it may and when it was last used."""
    return _list(TokenForm())


@blueprint.post("/")
def create() -> str | tuple[str, int]:
    """Makes a token, which is shown once."""
    form = TokenForm()
    if not form.validate_on_submit():
        return _list(form), 422
    try:
        clear = runtime().tokens.create(
            form.name.data or "",
            [Scope(scope) for scope in form.scopes.data or ()],
            source=(form.source.data or "").strip() or None,
            lifetime=lifetime_of(form.expires.data) if form.expires.data else None,
        )
    except InvalidInput as error:
        form.show_faults(error.faults)
        return _list(form), 422
    return _list(TokenForm(formdata=None), once=(form.name.data or "", clear))


@blueprint.post("/revoke")
def revoke() -> Response:
    """Ends a token at once. Its name comes in the form: it may have any character, and a path may not."""
    name = request.form.get("name", "")
    if not name:
        raise InvalidInput([FieldFault("name", "is missing")])
    runtime().tokens.revoke(name)
    flash(f"{name} is revoked.", "success")
    return redirect(url_for(".index"))


def _list(form: TokenForm, once: tuple[str, str] | None = None) -> str:
    tokens = runtime().tokens
    return render_template(
        "accounts/tokens.html", form=form, tokens=tokens.all(), last_used=tokens.last_used(), once=once
    )
