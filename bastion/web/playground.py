"""Trying a text on the live rules."""

from flask import Blueprint, render_template, request, url_for

from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.firewall.analysis import Analysis, Direction, Submission
from bastion.firewall.explaining import ExplainedAnalysis, explain, record_and_explain
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.models import Event
from bastion.runtime import runtime
from bastion.services.events import stored_events
from bastion.services.events.seen_views import MAX_LISTED, SeenView, seen_views
from bastion.web.forms import PlaygroundForm
from bastion.web.marked_text import Mark, MarkedText, mark, numbered

blueprint = Blueprint("playground", __name__, url_prefix="/try")

SOURCE = "playground"


@blueprint.route("/", methods=["GET", "POST"])
def analyse() -> str | tuple[str, int]:
    """Judges a pasted text, or that of a stored event, and shows how; recorded only if asked."""
    firewall = runtime().firewall
    names = [flow.name for flow in firewall.flows if flow.pipelines]
    event = _event()
    form = PlaygroundForm(**_usual(event, names))
    form.flow.choices = names
    if request.method == "GET":
        text = event.prompt if event else None
    elif form.validate_on_submit():
        text = (form.prompt.data or "").replace("\r\n", "\n")
    else:
        return render_template("playground.html", form=form, event=event, explained=None), 422
    if text is None:
        return render_template("playground.html", form=form, event=event, explained=None)
    submission = Submission(text, form.flow.data, direction=Direction(form.direction.data), source=SOURCE)
    record = form.record.data and request.method == "POST"
    explained = record_and_explain(firewall, submission) if record else explain(firewall, submission)
    return _page(form, explained, event)


def _page(form: PlaygroundForm, explained: ExplainedAnalysis, event: Event | None) -> str:
    analysis = explained.analysis
    text, matches = analysis.submission.prompt, analysis.verdict.matches
    views = {name: seen_views(trace, matches) for name, trace in explained.traces.items()}
    return render_template(
        "playground.html",
        form=form,
        event=event,
        explained=explained,
        analysis=analysis,
        hits=_hits(analysis),
        marked=mark(text, _marks(analysis)),
        views={name: [(view, _marked_view(view)) for view in seen] for name, seen in views.items()},
        most_views=MAX_LISTED,
        share=_share(analysis, event),
    )


def _event() -> Event | None:
    """The event that the address names. Raises ``NotFound``, and ``InvalidInput`` if its text was not kept."""
    key = request.args.get("event")
    if not key:
        return None
    event = stored_events.get_event(db.session(), key)
    if event.prompt is None:
        raise InvalidInput([FieldFault("event", "has no text: it was not kept, so that it cannot be tried")])
    return event


def _usual(event: Event | None, flows: list[str]) -> dict[str, str]:
    """What the form begins with: the event's text and the flow of the address, of the event, or the default."""
    asked = request.args.get("flow") or (event.flow_name if event else None)
    direction = request.args.get("direction") or (event.direction if event else None)
    return {
        "prompt": event.prompt or "" if event else "",
        "flow": asked if asked in flows else DEFAULT_FLOW,
        "direction": direction if direction in list(Direction) else Direction.INPUT.value,
    }


def _share(analysis: Analysis, event: Event | None) -> str | None:
    """An address that shows this again, without the text in it; ``None`` while the text is stored nowhere."""
    submission = analysis.submission
    same = event is not None and event.prompt == submission.prompt
    uid = analysis.uid if analysis.event_id else event.uid if event and same else None
    if uid is None:
        return None
    return url_for(".analyse", event=uid, flow=submission.flow_name, direction=submission.direction.value)


def _hits(analysis: Analysis) -> list[dict[str, object]]:
    """The matches as the legend lists them."""
    return [
        {
            "number": number,
            "name": match.rule.name,
            "severity": match.rule.severity.value if match.rule.severity else None,
            "spans": match.spans,
        }
        for number, match in enumerate(analysis.verdict.matches, start=1)
    ]


def _marks(analysis: Analysis) -> list[Mark]:
    return [
        one
        for number, match in enumerate(analysis.verdict.matches, start=1)
        for one in numbered(match.spans, match.rule.name, match.rule.severity, number)
    ]


def _marked_view(view: SeenView) -> MarkedText:
    return mark(
        view.shown,
        [
            Mark(found.start - view.first, found.end - view.first, found.match.rule.name, found.match.rule.severity)
            for found in view.found
        ],
    )
