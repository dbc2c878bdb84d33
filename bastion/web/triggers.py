"""Triggers: what fired, by rule."""

from flask import Blueprint, render_template, request

from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.models import MAX_ID
from bastion.services import triggers
from bastion.web.presentation import PER_PAGE, paged

blueprint = Blueprint("triggers", __name__, url_prefix="/triggers")


@blueprint.get("/")
def index() -> str:
    """The newest triggers, of all rules or of one."""
    session = db.session()
    rule_id = _rule_id()
    page = paged(lambda place: triggers.page_of_triggers(session, rule_id=rule_id, per_page=PER_PAGE, bookmark=place))
    return render_template(
        "triggers/index.html", page=page, rule_id=rule_id, by_rule=triggers.rules_by_triggers(session)
    )


def _rule_id() -> int | None:
    given = request.args.get("rule") or None
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= MAX_ID):
        raise InvalidInput([FieldFault("rule", "wants a rule's id")])
    return int(given)
