"""Logging in and out."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from bastion.access import User
from bastion.runtime import runtime
from bastion.security.sessions import begin_session, end_session, is_plain_remote
from bastion.security.signing_in import try_password
from bastion.services.people.accounts import Account
from bastion.web.forms import LoginForm

blueprint = Blueprint("auth", __name__)


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> str | Response | tuple[str, int]:
    """Asks for name and password; a right pair starts a fresh session."""
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.overview"))
    form = LoginForm(next=request.args.get("next", ""))
    if not form.validate_on_submit():
        return _page(form, 422 if form.errors else 200)
    account, wait = try_password(form.name.data or "", form.password.data or "")
    if wait:
        flash(f"Too many tries. Wait {wait} seconds.", "danger")
        answer = _page(form, 429)
        answer.headers["Retry-After"] = str(wait)
        return answer
    if account is None:
        flash("Name or password is wrong.", "danger")
        return _page(form, 401)
    log_in(account)
    return redirect(own_path(form.next.data) or url_for("dashboard.overview"))


@blueprint.post("/logout")
def logout() -> Response:
    """Ends the session, and every copy of its cookie."""
    runtime().audit.note("sign_out")
    end_session()
    logout_user()
    return redirect(url_for("auth.login"))


def log_in(account: Account) -> None:
    """Begins a session of the account and says so; the one that was there ends for every copy of its cookie."""
    end_session()
    begin_session()
    login_user(User(account))
    runtime().audit.note("sign_in", {"account": account.name, "role": account.role.value})


def own_path(target: str | None) -> str | None:
    """The target if it is a path of this site: browsers read a backslash as a slash, and skip control characters."""
    if not target or not target.startswith("/") or target.startswith("//") or not target.isprintable():
        return None
    return None if "\\" in target else target


def _page(form: LoginForm, status: int) -> Response:
    elsewhere = runtime().settings.bastion_oidc_issuer is not None
    page = render_template("login.html", form=form, elsewhere=elsewhere, plain=is_plain_remote())
    return make_response(page, status)
