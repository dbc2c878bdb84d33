"""Logging in and out."""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from bastion.access import User
from bastion.runtime import runtime
from bastion.web.forms import LoginForm

blueprint = Blueprint("auth", __name__)


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> str | Response | tuple[str, int]:
    """Asks for name and password; a right pair starts a fresh session."""
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.overview"))
    form = LoginForm(next=request.args.get("next", ""))
    if not form.validate_on_submit():
        return render_template("login.html", form=form)
    account = runtime().accounts.log_in(form.name.data or "", form.password.data or "")
    if account is None:
        flash("Name or password is wrong.", "danger")
        return render_template("login.html", form=form), 401
    session.clear()
    login_user(User(account))
    return redirect(_own_path(form.next.data) or url_for("dashboard.overview"))


@blueprint.post("/logout")
def logout() -> Response:
    """Ends the session."""
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


def _own_path(target: str | None) -> str | None:
    """The target if it is a path of this site: browsers read a backslash as a slash, and skip control characters."""
    if not target or not target.startswith("/") or target.startswith("//") or not target.isprintable():
        return None
    return None if "\\" in target else target
