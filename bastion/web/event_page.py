"""One event: its text with what matched marked in it, why, what is around it, and what today's rules would say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from flask import jsonify, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, FlowUnavailable, InvalidInput, NotFound
from bastion.extensions import db
from bastion.firewall.analysis import Analysis, Direction, Submission
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.models import MAX_ID, Event
from bastion.runtime import runtime
from bastion.services.events import stored_events
from bastion.services.events.as_json import whole_event_json
from bastion.services.events.decoded import excerpts
from bastion.services.events.evidence import Hit, hits_of, passed_of, pipelines_of, would_be_of
from bastion.services.events.rerun import Difference, compare
from bastion.services.events.surroundings import Neighbours, Place, neighbours, same_rules, same_text
from bastion.services.rules.from_text import pattern_for
from bastion.services.rules.precision import precision_of
from bastion.services.search.selection import bounded_time
from bastion.web import events as event_list
from bastion.web import triggers as trigger_list
from bastion.web.events import blueprint
from bastion.web.list_pages import ListKind
from bastion.web.lists import ListState
from bastion.web.marked_text import mark, numbered
from bastion.web.rules.exceptions import KINDS

_LISTS: Final = {"events": event_list.KIND, "triggers": trigger_list.KIND}


@dataclass(frozen=True)
class CameFrom:
    """The list that the reader came from, as the event's address says; ``trigger_id`` is the one they opened."""

    kind: ListKind
    state: ListState
    trigger_id: int | None

    @property
    def of_triggers(self) -> bool:
        return self.kind is trigger_list.KIND

    @property
    def parameters(self) -> dict[str, str]:
        more = {"list": "triggers"} if self.of_triggers else {}
        return more | ({"trigger": str(self.trigger_id)} if self.trigger_id is not None else {})

    def address(self, endpoint: str, uid: str, trigger_id: int | None = None) -> str:
        """A page of an event from which one gets back to the same list."""
        at = {"trigger": str(trigger_id)} if trigger_id is not None else {}
        return self.state.address(url_for(endpoint, key=uid), **(self.parameters | at))

    def address_of(self, place: Place) -> str:
        return self.address("events.show", place.uid, place.trigger_id)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What today's rules say; ``flow_instead`` names the flow that judged if the event's own cannot any more."""

    analysis: Analysis
    differences: Sequence[Difference]
    flow_instead: str | None


@blueprint.get("/<key>")
def show(key: str) -> str:
    """One event by id or uid."""
    return _page(stored_events.get_event(db.session(), key))


@blueprint.get("/<key>.json")
def raw(key: str) -> Response:
    """The same as JSON."""
    return jsonify(whole_event_json(stored_events.get_event(db.session(), key)))


@blueprint.post("/<key>/rerun")
def rerun(key: str) -> str:
    """The event's page with what today's rules say of its text. Nothing is recorded."""
    session = db.session()
    event = stored_events.get_event(session, key)
    if event.prompt is None:
        raise InvalidInput([FieldFault("prompt", "was not kept, so that it cannot be judged again")])
    return _page(event, _judged_today(session, event))


@blueprint.get("/<key>/rule")
def start_rule(key: str) -> Response:
    """Begins a rule with a pattern for a part of the text: the one between two places, or one that was typed."""
    text = request.args.get("text", "")
    if "start" in request.args:
        prompt = stored_events.get_event(db.session(), key).prompt or ""
        text = prompt[_whole_number("start") : _whole_number("end")]
    return redirect(url_for("rules.new", pattern=pattern_for(text)))


def _page(event: Event, rerun: Rerun | None = None) -> str:
    session = db.session()
    came_from = _came_from()
    hits = hits_of(session, event)
    marks = [one for hit in hits for one in numbered(hit.spans, hit.name, hit.severity, hit.number)]
    with bounded_time(session):
        around = _neighbours(session, event, came_from)
        text, rules = same_text(session, event), same_rules(session, event)
    return render_template(
        "events/show.html",
        event=event,
        hits=hits,
        marked=mark(event.prompt, marks) if event.prompt else None,
        excerpts=excerpts(event.prompt, hits),
        pipelines=pipelines_of(event),
        passed=passed_of(session, event),
        would_be=would_be_of(event),
        exception_kinds=KINDS,
        precision_by_rule=precision_of(session, [hit.rule.id for hit in hits if hit.rule]),
        came_from=came_from,
        before=came_from.address_of(around.before) if around.before else None,
        after=came_from.address_of(around.after) if around.after else None,
        same_text=text,
        same_rules=rules,
        rules_query=_rules_query(hits),
        rerun=rerun,
    )


def _came_from() -> CameFrom:
    name = request.args.get("list", "events")
    kind = _LISTS.get(name)
    if kind is None:
        raise InvalidInput([FieldFault("list", f"wants one of {', '.join(_LISTS)}")])
    trigger_id = _whole_number("trigger") if "trigger" in request.args else None
    return CameFrom(kind, kind.state("list", "trigger"), trigger_id)


def _neighbours(session: Session, event: Event, came_from: CameFrom) -> Neighbours:
    listing, state = came_from.kind.listing, came_from.state
    return neighbours(
        session,
        listing,
        listing.select(session, state.search),
        state.period,
        event,
        trigger_id=came_from.trigger_id or next((one.id for one in event.triggers), None),
        oldest_first=state.oldest_first,
    )


def _judged_today(session: Session, event: Event) -> Rerun:
    firewall = runtime().firewall
    direction = Direction(event.direction) if event.direction in list(Direction) else Direction.INPUT
    submission = Submission(event.prompt or "", event.flow_name, direction=direction, source=event.source)
    instead = None
    try:
        analysis = firewall.judge(submission)
    except (NotFound, FlowUnavailable):
        instead = DEFAULT_FLOW
        analysis = firewall.judge(replace(submission, flow_name=instead))
    return Rerun(analysis, compare(session, hits_of(session, event), analysis.verdict), instead)


def _rules_query(hits: Sequence[Hit]) -> str | None:
    """A search for events in which one of the rules matched."""
    ids = dict.fromkeys(hit.rule.id for hit in hits if hit.rule)
    return " ".join(f"rule:#{rule_id}" for rule_id in ids) if ids else None


def _whole_number(name: str) -> int:
    given = request.args.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= MAX_ID):
        raise InvalidInput([FieldFault(name, "wants a whole number")])
    return int(given)
