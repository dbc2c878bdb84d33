"""Many rules at once: a page that says what a change would do, the change, and those rules as a file."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.models import MAX_ID, utc_now
from bastion.rulefile import Format
from bastion.services.rules.bulk import BulkChange, Kind, apply, plan
from bastion.services.rules.listing import selected_ids
from bastion.services.search.rules import FIELDS
from bastion.services.search.tokens import parse
from bastion.web.rules.listing import read_state, rule_file

SHOWN = 200
"""Rules that the page names of each sort."""


def bulk() -> str | Response:
    """What the change would do, and with ``apply`` the change; both to the same rules at the same versions.

    With ``export`` nothing is changed, and the rules come as a file.
    """
    if "export" in request.form:
        return rule_file(Format.YAML.value, _some_rule_ids())
    change = _change()
    back = read_state(url_for(".index"), {"q": request.form.get("q", "")}).address()
    if "apply" not in request.form:
        return _dry_run(change, back)
    done = apply(db.session(), _versions(), change, actor=current_user.name, why=request.form.get("comment"))
    db.session.commit()
    flash(f"{done.changed:,} rule{'' if done.changed == 1 else 's'} changed.", "success")
    if not done.skipped:
        return redirect(back)
    page = render_template("rules/bulk_done.html", done=done, change=change, back=back)
    return make_response(page, HTTPStatus.CONFLICT)


def _dry_run(change: BulkChange, back: str) -> str:
    planned = plan(db.session(), _some_rule_ids(), change)
    return render_template(
        "rules/bulk.html",
        change=change,
        back=back,
        q=request.form.get("q", ""),
        shown=SHOWN,
        changing=[one for one in planned if one.changes and not one.refusal],
        same=[one for one in planned if not one.changes],
        refused=[one for one in planned if one.refusal],
    )


def _change() -> BulkChange:
    try:
        kind = Kind(request.form.get("change", ""))
    except ValueError:
        raise InvalidInput([FieldFault("change", f"wants one of {', '.join(Kind)}")]) from None
    return BulkChange(kind, request.form.get("tag", "").strip())


def _some_rule_ids() -> Sequence[int]:
    if request.form.get("scope") == "query":
        found = selected_ids(db.session(), parse(request.form.get("q", ""), FIELDS), utc_now())
    else:
        found = [_number(written) for written in request.form.getlist("rule")]
    if not found:
        raise InvalidInput([FieldFault("rules", "are none: check some, or choose all that the search selects")])
    return found


def _versions() -> dict[int, int]:
    """The version that each rule had on the page that said what would happen."""
    pairs = (written.partition(":") for written in request.form.get("versions", "").split())
    return {_number(rule_id): _number(version) for rule_id, _, version in pairs}


def _number(written: str) -> int:
    if not (written.isascii() and written.isdigit() and len(written) < 20 and int(written) <= MAX_ID):
        raise InvalidInput([FieldFault("rules", "wants ids of rules")])
    return int(written)


def add_routes(blueprint: Blueprint) -> None:
    blueprint.post("/bulk")(bulk)
