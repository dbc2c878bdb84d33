"""One rule: what it is, what it does, and the switches."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from bastion.engine.expressions import expressions_of
from bastion.extensions import db
from bastion.models import Rule, utc_now
from bastion.services.rules import stored_rules
from bastion.services.rules.checks import notes_on
from bastion.services.rules.stats import (
    activity_of,
    calendar_weeks,
    last_days,
    newest_triggers,
    precision_by,
    triggers_by,
)
from bastion.web.forms import DeleteForm

ONE = "/<int:rule_id>"
DAYS = 30
WEEKS = 12
NEWEST_TRIGGERS = 50


def show(rule_id: int) -> str:
    """What the rule is, and how it does."""
    rule = _rule(rule_id)
    activity = activity_of(db.session(), [rule.id], utc_now())[rule.id]
    return render_template("rules/overview.html", rule=rule, tab="show", activity=activity)


def pattern(rule_id: int) -> str:
    """The expressions, line by line, each with what it does not say of itself."""
    rule = _rule(rule_id)
    noted = {number: notes_on(line, rule.language) for number, line in expressions_of(rule.language, rule.pattern)}
    lines = [(number, line, noted.get(number, [])) for number, line in enumerate(rule.pattern.split("\n"), start=1)]
    return render_template("rules/pattern.html", rule=rule, tab="pattern", lines=lines)


def activity(rule_id: int) -> str:
    """How often the rule matched day by day, and how right that was week by week."""
    rule = _rule(rule_id)
    session, now = db.session(), utc_now()
    days, weeks = last_days(now, DAYS), calendar_weeks(now, WEEKS)
    return render_template(
        "rules/activity.html",
        rule=rule,
        tab="activity",
        days=list(zip(days, triggers_by(session, rule.id, days), strict=True)),
        weeks=list(zip(weeks, precision_by(session, rule.id, weeks), strict=True)),
    )


def triggers(rule_id: int) -> str:
    """The newest matches of the rule."""
    rule = _rule(rule_id)
    newest = newest_triggers(db.session(), rule.id, NEWEST_TRIGGERS)
    return render_template("rules/triggers.html", rule=rule, tab="triggers", triggers=newest, limit=NEWEST_TRIGGERS)


def toggle(rule_id: int) -> Response:
    """Enables or disables."""
    rule = stored_rules.toggle_rule(db.session(), _rule(rule_id), actor=current_user.name)
    db.session.commit()
    flash(f"{rule.name} is {'enabled' if rule.enabled else 'disabled'}.", "success")
    if request.form.get("from") == "index":
        return redirect(f"{url_for('.index')}#rule-{rule.id}")
    return _back(rule)


def archive(rule_id: int) -> Response:
    """Takes a rule out of use and keeps its triggers."""
    rule = stored_rules.archive_rule(db.session(), _rule(rule_id), actor=current_user.name)
    db.session.commit()
    flash(f"{rule.name} is archived: it no longer runs, and its triggers stay.", "success")
    return _back(rule)


def restore(rule_id: int) -> Response:
    """Takes an archived rule back, disabled."""
    rule = stored_rules.restore_rule(db.session(), _rule(rule_id), actor=current_user.name)
    db.session.commit()
    flash(f"{rule.name} is back, disabled.", "success")
    return _back(rule)


def delete(rule_id: int) -> str | Response:
    """Says how many triggers would go with the rule, and deletes both if that is still true."""
    session = db.session()
    rule = _rule(rule_id)
    count = stored_rules.count_triggers(session, rule)
    form = DeleteForm(triggers=count)
    if not form.validate_on_submit():
        return render_template("rules/delete.html", rule=rule, form=form, triggers=count)
    name = rule.name
    stored_rules.delete_rule(session, rule, with_triggers=form.triggers.data or 0)
    session.commit()
    flash(f"{name} is deleted.", "success")
    return redirect(url_for(".index"))


def _rule(rule_id: int) -> Rule:
    return stored_rules.get_rule(db.session(), rule_id)


def _back(rule: Rule) -> Response:
    return redirect(url_for(".show", rule_id=rule.id))


def add_routes(blueprint: Blueprint) -> None:
    blueprint.get(ONE)(show)
    for view in (pattern, activity, triggers):
        blueprint.get(f"{ONE}/{view.__name__}")(view)
    for change in (toggle, archive, restore):
        blueprint.post(f"{ONE}/{change.__name__}")(change)
    blueprint.route(f"{ONE}/delete", methods=["GET", "POST"])(delete)
