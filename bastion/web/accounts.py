"""Accounts: for admins, and everybody's own password."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_login import current_user, login_user
from werkzeug.wrappers import Response

from bastion.access import User
from bastion.errors import InvalidInput
from bastion.runtime import runtime
from bastion.security.sessions import begin_session, end_session
from bastion.security.signing_in import try_password
from bastion.services.people.accounts import Origin, Role
from bastion.services.people.passwords import random_password
from bastion.web.account_forms import AccountForm, OwnPasswordForm, RoleForm

blueprint = Blueprint("accounts", __name__, url_prefix="/accounts")

ONE = "/<name>"


@blueprint.get("/")
def index() -> str:
    """Everybody who may log in, and who no longer may."""
    return _list(AccountForm())


@blueprint.post("/")
def add() -> str | tuple[str, int]:
    """Makes an account, whose first password is shown once and must be changed."""
    form = AccountForm()
    if not form.validate_on_submit():
        return _list(form), 422
    password = random_password()
    try:
        runtime().accounts.add(form.name.data, Role(form.role.data), password, must_change=True)
    except InvalidInput as error:
        form.show_faults(error.faults)
        return _list(form), 422
    return _list(AccountForm(formdata=None), once=(form.name.data, password))


@blueprint.post(f"{ONE}/role")
def change_role(name: str) -> Response:
    """Takes effect at the account's next request."""
    form = RoleForm()
    if not form.validate_on_submit():
        flash("There is no such role.", "danger")
        return redirect(url_for(".index"))
    runtime().accounts.set_role(name, Role(form.role.data))
    flash(f"{name} is {form.role.data} now.", "success")
    return redirect(url_for(".index"))


@blueprint.post(f"{ONE}/disable")
def disable(name: str) -> Response:
    """Ends the account's sessions."""
    runtime().accounts.disable(name)
    flash(f"{name} is disabled.", "success")
    return redirect(url_for(".index"))


@blueprint.post(f"{ONE}/enable")
def enable(name: str) -> Response:
    """Lets the account log in again."""
    runtime().accounts.enable(name)
    flash(f"{name} may log in again.", "success")
    return redirect(url_for(".index"))


@blueprint.post(f"{ONE}/password")
def reset_password(name: str) -> str:
    """Gives the account a password that is shown once and must be changed."""
    password = random_password()
    runtime().accounts.set_password(name, password, must_change=True)
    return _list(AccountForm(formdata=None), once=(name, password))


@blueprint.route("/password", methods=["GET", "POST"])
def own_password() -> str | Response | tuple[str, int]:
    """Changes one's own password, with the one that there is; this session goes on, all others end."""
    accounts = runtime().accounts
    form = OwnPasswordForm()
    mine = accounts.all()[current_user.name]
    if mine.origin is not Origin.PASSWORD or not form.validate_on_submit():
        return _own(form, mine.origin), 422 if form.errors else 200
    known, wait = try_password(current_user.name, form.current.data or "")
    if known is None:
        message = f"Too many tries: wait {wait} seconds." if wait else "This is not your current password."
        form.current.errors = [message]
        return _own(form, mine.origin), 429 if wait else 422
    try:
        accounts.set_password(current_user.name, form.password.data or "")
    except InvalidInput as error:
        form.show_faults(error.faults)
        return _own(form, mine.origin), 422
    account = accounts.get(current_user.name)
    assert account is not None
    end_session()
    begin_session()
    login_user(User(account))
    flash("Your password is changed; your other sessions have ended.", "success")
    return redirect(url_for("dashboard.overview"))


def _own(form: OwnPasswordForm, origin: Origin) -> str:
    return render_template("accounts/password.html", form=form, elsewhere=origin is not Origin.PASSWORD)


def _list(form: AccountForm, once: tuple[str, str] | None = None) -> str:
    return render_template(
        "accounts/index.html",
        form=form,
        accounts=runtime().accounts.all(),
        roles=[role.value for role in Role],
        once=once,
    )
