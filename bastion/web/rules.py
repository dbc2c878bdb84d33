"""Rules: listed, written, switched, put away."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from bastion.engine import RuleSpec
from bastion.errors import Conflict, InvalidRule
from bastion.extensions import db
from bastion.models import Rule
from bastion.services import rules
from bastion.web.forms import DeleteForm, RuleForm

blueprint = Blueprint("rules", __name__, url_prefix="/rules")

ONE = "/<int:rule_id>"


@blueprint.get("/")
def index() -> str:
    """The rules in use, or of one category, or the archived ones."""
    session = db.session()
    category = request.args.get("category") or None
    archived = "archived" in request.args
    found = rules.archived_rules(session) if archived else rules.list_rules(session, category=category)[1]
    return render_template(
        "rules/index.html",
        rules=found,
        category=category,
        archived=archived,
        categories=rules.categories(session),
    )


@blueprint.get(ONE)
def show(rule_id: int) -> str:
    """One rule, whole."""
    rule = rules.get_rule(db.session(), rule_id)
    return render_template("rules/show.html", rule=rule, triggers=rules.count_triggers(db.session(), rule))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> str | Response | tuple[str, int]:
    """Writes a rule."""
    form = RuleForm()
    if request.method == "GET":
        form.author.data = current_user.name
    if not form.validate_on_submit():
        return _form(form), 422 if form.errors else 200
    try:
        rule = rules.create_rule(db.session(), RuleSpec(uuid=rules.new_uuid(), **form.content()))
    except InvalidRule as error:
        form.show_faults(error.faults)
        return _form(form), 422
    db.session.commit()
    flash(f"Saved {rule.name}.", "success")
    return redirect(url_for(".show", rule_id=rule.id))


@blueprint.route(f"{ONE}/edit", methods=["GET", "POST"])
def edit(rule_id: int) -> str | Response | tuple[str, int]:
    """Changes a rule, on the version that the editor saw."""
    session = db.session()
    rule = rules.get_rule(session, rule_id)
    form = RuleForm.of(rule)
    if not form.validate_on_submit():
        return _form(form, rule), 422 if form.errors else 200
    try:
        rules.update_rule(session, rule, form.content(), form.version.data)
    except InvalidRule as error:
        form.show_faults(error.faults)
        return _form(form, rule), 422
    except Conflict:
        session.rollback()
        return _both_versions(form, rules.get_rule(session, rule_id)), 409
    session.commit()
    flash(f"Saved {rule.name}.", "success")
    return redirect(url_for(".show", rule_id=rule.id))


@blueprint.post(f"{ONE}/toggle")
def toggle(rule_id: int) -> Response:
    """Enables or disables."""
    rule = rules.toggle_rule(db.session(), rules.get_rule(db.session(), rule_id))
    db.session.commit()
    flash(f"{rule.name} is {'enabled' if rule.enabled else 'disabled'}.", "success")
    return _back(rule)


@blueprint.post(f"{ONE}/archive")
def archive(rule_id: int) -> Response:
    """Takes a rule out of use and keeps its triggers."""
    rule = rules.archive_rule(db.session(), rules.get_rule(db.session(), rule_id))
    db.session.commit()
    flash(f"{rule.name} is archived: it no longer runs, and its triggers stay.", "success")
    return redirect(url_for(".show", rule_id=rule.id))


@blueprint.post(f"{ONE}/restore")
def restore(rule_id: int) -> Response:
    """Takes an archived rule back, disabled."""
    rule = rules.restore_rule(db.session(), rules.get_rule(db.session(), rule_id))
    db.session.commit()
    flash(f"{rule.name} is back, disabled.", "success")
    return redirect(url_for(".show", rule_id=rule.id))


@blueprint.route(f"{ONE}/delete", methods=["GET", "POST"])
def delete(rule_id: int) -> str | Response | tuple[str, int]:
    """Says how many triggers would go with the rule, and deletes both if that is still true."""
    session = db.session()
    rule = rules.get_rule(session, rule_id)
    triggers = rules.count_triggers(session, rule)
    form = DeleteForm(triggers=triggers)
    if not form.validate_on_submit():
        return render_template("rules/delete.html", rule=rule, form=form, triggers=triggers)
    name = rule.name
    rules.delete_rule(session, rule, with_triggers=form.triggers.data or 0)
    session.commit()
    flash(f"{name} is deleted.", "success")
    return redirect(url_for(".index"))


def _form(form: RuleForm, rule: Rule | None = None) -> str:
    return render_template(
        "rules/edit.html", form=form, rule=rule, theirs=None, categories=rules.categories(db.session())
    )


def _both_versions(form: RuleForm, stored: Rule) -> str:
    """The form as it was submitted, and what stands in the database instead; saving again replaces that."""
    mine = form.content()
    theirs = {
        form[name].label.text: (getattr(stored, name), value)
        for name, value in mine.items()
        if getattr(stored, name) != value
    }
    form.version.raw_data = None
    form.version.data = stored.version
    return render_template(
        "rules/edit.html", form=form, rule=stored, theirs=theirs, categories=rules.categories(db.session())
    )


def _back(rule: Rule) -> Response:
    """To the list if the button was pressed there, else to the rule."""
    if request.form.get("from") == "index":
        return redirect(f"{url_for('.index')}#rule-{rule.id}")
    return redirect(url_for(".show", rule_id=rule.id))
