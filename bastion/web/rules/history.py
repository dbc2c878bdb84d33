"""The versions of a rule: listed, compared, brought back."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.services.rules import stored_rules
from bastion.services.rules.comparing import differences
from bastion.services.rules.history import CONTENT, Version, get_version, versions
from bastion.web.forms import RULE_FIELDS

MAX_NUMBER = 10


def history(rule_id: int) -> str:
    """Every version, and what differs between two of them: the newest two unless others are asked for."""
    rule = stored_rules.get_rule(db.session(), rule_id)
    every = versions(rule)
    kept = [version.number for version in every if version.content is not None]
    new = _number("new") or kept[0]
    old = _number("old") or next((number for number in kept if number < new), None)
    compared: tuple[Version, Version] | None = None
    if old is not None and old != new:
        compared = get_version(rule, old), get_version(rule, new)
    return render_template(
        "rules/history.html",
        rule=rule,
        tab="history",
        versions=every,
        old=old,
        new=new,
        compared=compared,
        differences=differences(compared[0].content or {}, compared[1].content or {}, CONTENT) if compared else [],
        labels=RULE_FIELDS,
    )


def restore_version(rule_id: int) -> Response:
    """Makes an earlier version the newest."""
    number = _number("version", required=True)
    assert number is not None
    rule = stored_rules.get_rule(db.session(), rule_id)
    stored_rules.bring_back(db.session(), rule, number, _number("seen"), actor=current_user.name)
    db.session.commit()
    flash(f"{rule.name} says what it said in version {number}; that is version {rule.version} now.", "success")
    return redirect(url_for(".history", rule_id=rule.id))


def _number(name: str, *, required: bool = False) -> int | None:
    written = request.values.get(name) or None
    if written is None and not required:
        return None
    if written is None or not (written.isascii() and written.isdigit() and len(written) < MAX_NUMBER):
        raise InvalidInput([FieldFault(name, "wants the number of a version")])
    return int(written)


def add_routes(blueprint: Blueprint) -> None:
    blueprint.get("/<int:rule_id>/history")(history)
    blueprint.post("/<int:rule_id>/history/restore")(restore_version)
