"""What happened, at a glance."""

from flask import Blueprint, render_template

from bastion.extensions import db
from bastion.services import events, rules, triggers
from bastion.services.events import EventFilter

blueprint = Blueprint("dashboard", __name__)

NEWEST = 10
BUSIEST = 10


@blueprint.get("/")
def overview() -> str:
    """Counts by status, the newest events, the busiest rules."""
    session = db.session()
    return render_template(
        "overview.html",
        stats=events.event_stats(session),
        newest=events.page_of_events(session, EventFilter(), per_page=NEWEST, bookmark=None),
        busiest=triggers.rules_by_triggers(session)[:BUSIEST],
        rules_total=rules.list_rules(session, limit=0)[0],
        rules_enabled=rules.list_rules(session, enabled=True, limit=0)[0],
    )
