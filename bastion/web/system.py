"""What this Bastion is made of and how it is."""

from flask import Blueprint, render_template

from bastion.extensions import db
from bastion.runtime import runtime
from bastion.schema import current_revision

blueprint = Blueprint("system", __name__, url_prefix="/system")


@blueprint.get("/")
def show() -> str:
    """Version, database, rules in force and those that are skipped, flows."""
    parts = runtime()
    return render_template(
        "system.html",
        settings=parts.settings,
        database=db.engine.url.render_as_string(hide_password=True),
        revision=current_revision(),
        rule_set=parts.firewall.rules.current(),
        flows=list(parts.firewall.flows),
    )
