"""What happened and what waits, at a glance. Every number leads to the list behind it."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.services.dashboard import activity, latency, triggers
from bastion.services.events import stored_events
from bastion.services.events.stored_events import EventFilter
from bastion.services.rules import stored_rules
from bastion.services.search import counts
from bastion.services.search.counts import Bucket
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.pages import why_empty
from bastion.services.search.selection import Listing, bounded_time
from bastion.services.search.timerange import ALWAYS, Period, TimeRange, read_range
from bastion.services.search.tokens import Token
from bastion.services.search.trigger_fields import TRIGGERS
from bastion.web.list_pages import FRAGMENT
from bastion.web.lists import ListState
from bastion.web.zones import reader_zone

blueprint = Blueprint("dashboard", __name__)

NEWEST: Final = 8
PARAMETERS: Final = ("range", "from", "to")
LISTS: Final = {"events": EVENTS, "triggers": TRIGGERS}


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the lists, in the range of the page unless another period is given."""

    state: ListState

    def events(self, period: Period | None = None, **values: str) -> str:
        return self._to("events", period, values)

    def triggers(self, period: Period | None = None, **values: str) -> str:
        return self._to("triggers", period, values)

    def bar(self, bucket: Bucket) -> str:
        return self._to("events", Period(bucket.start, bucket.end), {})

    def _to(self, name: str, period: Period | None, values: dict[str, str]) -> str:
        chosen = self.state.range if period is None else TimeRange(None, period)
        if chosen == TimeRange(None, ALWAYS):
            chosen = TimeRange("all")
        search = tuple(Token(field, value) for field, value in values.items())
        return ListState(url_for(f"{name}.index"), LISTS[name].fields, search, chosen).address()


@blueprint.get("/")
def overview() -> str | Response:
    """The numbers that are quick to count and the newest events; a script fetches the others after the page."""
    session = db.session()
    try:
        state = _state()
        if state.parameters() != request.args.to_dict():
            return redirect(state.address())
        with bounded_time(session):
            return _page(session, state)
    except InvalidInput as error:
        page = render_template("dashboard/index.html", state=ListState(request.path, {}), faults=error.faults)
        return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)


def _page(session: Session, state: ListState) -> str:
    newest = stored_events.page_of_events(session, EventFilter(), per_page=NEWEST, bookmark=None)
    empty = why_empty(session, EVENTS, state.period)
    quick = bool(newest) and activity.is_quick(session, state.period, state.now)
    small = quick and _is_small(session, EVENTS) and _is_small(session, TRIGGERS)
    return render_template(
        "dashboard/index.html",
        state=state,
        faults=(),
        links=Links(state),
        newest=newest,
        empty=empty,
        rules_total=stored_rules.list_rules(session, limit=0)[0],
        rules_enabled=stored_rules.list_rules(session, enabled=True, limit=0)[0],
        activity=activity.activity(session, state.period, state.now, reader_zone()) if quick else None,
        panels=_panels(session, state) if small else None,
    )


def _is_small(session: Session, listing: Listing) -> bool:
    return counts.is_quick(session, listing.select(session, ()), ALWAYS)


def _panels(session: Session, state: ListState) -> dict[str, Any]:
    return {
        "busiest": triggers.busy_rules(session, state.period),
        "waiting": triggers.waiting(session, state.now),
        "crossing": triggers.crossing(session, state.period),
        "latency": latency.latency(session, state.period),
    }


@blueprint.get("/numbers")
def numbers() -> str:
    """All numbers: for a script as the parts of the page that it fills, else as a page."""
    state = _state()
    session = db.session()
    with bounded_time(session):
        return render_template(
            "dashboard/numbers.html",
            state=state,
            links=Links(state),
            fragment=FRAGMENT in request.headers,
            activity=activity.activity(session, state.period, state.now, reader_zone()),
            panels=_panels(session, state),
        )


def _state() -> ListState:
    """What the address says. Raises ``InvalidInput``."""
    arguments = request.args
    faults = [
        FieldFault(name, f"is not a parameter here; there are {', '.join(PARAMETERS)}")
        for name in arguments
        if name not in PARAMETERS
    ]
    faults += [FieldFault(name, "is given twice") for name, values in arguments.lists() if len(values) > 1]
    if faults:
        raise InvalidInput(faults)
    chosen = read_range(arguments.get("range"), arguments.get("from"), arguments.get("to"), reader_zone())
    return ListState(request.path, {}, (), chosen)
