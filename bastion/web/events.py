"""Events: the list. One of them is in ``event_page``."""

from datetime import UTC, timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.services.events import stored_events
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.facets import event_facets
from bastion.services.search.pages import page_of_keys
from bastion.services.search.selection import bounded_time
from bastion.services.search.timerange import read_time, write_time
from bastion.services.search.tokens import free_text
from bastion.web.list_pages import ListKind, show_facets, show_list, stream_export
from bastion.web.lists import ListState

blueprint = Blueprint("events", __name__, url_prefix="/events")

KIND: Final = ListKind(
    "events",
    EVENTS,
    stored_events.event_rows,
    event_facets,
    stored_events.EXPORTED,
    stored_events.event_records,
    {"status": ("status", ""), "flow_name": ("flow", "")},
)

LATE: Final = timedelta(seconds=10)
"""An event has the time at which its text came in, and may be stored this much later."""


@blueprint.get("/")
def index() -> str | Response:
    """The events that the address says, newest first."""
    return show_list(KIND, _more)


def _more(session: Session, state: ListState) -> dict[str, Any]:
    """Where a pasted uid or task id leads, and from when on new events are looked for."""
    words = [token.value for token in free_text(state.search) if not token.negated]
    uid, task = stored_events.named_exactly(session, words[0]) if len(words) == 1 else (False, False)
    return {"uid": words[0] if uid else None, "task": words[0] if task else None, "now": write_time(state.now)}


@blueprint.get("/facets")
def facets() -> str:
    """The list's counts."""
    return show_facets(KIND)


@blueprint.get("/export.<suffix>")
def export(suffix: str) -> Response:
    """The list as a file."""
    return stream_export(KIND, suffix)


@blueprint.get("/newer")
def newer() -> str:
    """The rows of events since a time, for a script that knows which of them it has."""
    state = KIND.state("after")
    try:
        after = read_time(request.args.get("after", ""), UTC) - LATE
    except ValueError as error:
        raise InvalidInput([FieldFault("after", str(error))]) from None
    session = db.session()
    with bounded_time(session):
        period = state.period.from_then(after)
        page = page_of_keys(session, EVENTS, EVENTS.select(session, state.search), period)
        rows = stored_events.event_rows(session, page.keys)
    return render_template("events/newer.html", state=state, rows=rows, more=page.next is not None)
