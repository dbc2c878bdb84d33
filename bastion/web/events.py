"""Events: the list, and one with its text."""

from flask import Blueprint, render_template, request

from bastion.engine import Status
from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.models import Event
from bastion.services import events
from bastion.services.events import EventFilter
from bastion.web.marked_text import Mark, mark
from bastion.web.presentation import PER_PAGE, paged

blueprint = Blueprint("events", __name__, url_prefix="/events")


@blueprint.get("/")
def index() -> str:
    """The newest events, narrowed by what the address says."""
    narrowed = _filter()
    session = db.session()
    page = paged(lambda place: events.page_of_events(session, narrowed, per_page=PER_PAGE, bookmark=place))
    return render_template(
        "events/index.html",
        page=page,
        narrowed=narrowed,
        statuses=[status.value for status in Status],
        flows=events.flow_names(session),
    )


@blueprint.get("/<key>")
def show(key: str) -> str:
    """One event by id or uid: its text with what matched marked in it, and which rules did."""
    event = events.get_event(db.session(), key)
    return render_template(
        "events/show.html", event=event, marked=mark(event.prompt, _marks(event)) if event.prompt else None
    )


def _filter() -> EventFilter:
    status = request.args.get("status") or None
    if status is not None and status not in list(Status):
        raise InvalidInput([FieldFault("status", f"wants one of {', '.join(Status)}, not {status!r}")])
    return EventFilter(status, request.args.get("flow_name") or None)


def _marks(event: Event) -> list[Mark]:
    return [Mark(start, end, trigger.rule.name) for trigger in event.triggers for start, end in trigger.spans or ()]
