"""Judging triggers: one by its buttons, or all that a search selects after a page that says how many."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from flask import flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from bastion.errors import Conflict, FieldFault, InvalidInput
from bastion.extensions import db
from bastion.models import MAX_ID
from bastion.models import utc_now as now
from bastion.services.search.selection import bounded_time
from bastion.services.search.timerange import Period, read_time, write_time
from bastion.services.search.trigger_fields import TRIGGERS
from bastion.services.triggers import judging, judging_many
from bastion.services.triggers.judging import ANYTHING, Anything, Disposition, Judgement
from bastion.services.triggers.judging_many import Progress, Selected
from bastion.web.auth import own_path
from bastion.web.list_pages import FRAGMENT
from bastion.web.lists import ListState, read_state
from bastion.web.triggers import KIND, blueprint
from bastion.web.zones import reader_zone

COUNT_SECONDS: Final = timedelta(seconds=1.5)
"""How long a page counts; then it says that there are more."""

JUDGE_SECONDS: Final = timedelta(seconds=1)
"""How long one request judges; then a page says how far it has come and goes on from there."""

_TAKE_BACK: Final = "none"


@blueprint.post("/<int:trigger_id>/judgement")
def judge(trigger_id: int) -> Response:
    """Judges one trigger: back to where the button was, or for a script the trigger's new state."""
    session = db.session()
    said = Judgement(_disposition(), current_user.name, request.form.get("note"))
    seen, problem = _seen(), None
    try:
        judging.judge(session, trigger_id, said, seen=seen)
        session.commit()
    except (Conflict, InvalidInput) as error:
        session.rollback()
        problem = error
    if FRAGMENT in request.headers:
        trigger = judging.get_trigger(session, trigger_id)
        compact = "compact" in request.form
        page = render_template(
            "triggers/judgement.html",
            trigger=trigger,
            problem=problem,
            compact=compact,
            back=_back(),
            state=_list_of(_back()) if compact else None,
        )
        return make_response(page, problem.status if problem else 200)
    if problem:
        flash(f"Not judged: {problem}.", "warning")
    return redirect(_back())


@blueprint.get("/judge")
def confirm_all() -> str:
    """Says how many triggers the search selects, and asks what they are."""
    state = KIND.state()
    session = db.session()
    selected = judging_many.select_now(session, TRIGGERS.select(session, state.search), state.period)
    counted = judging_many.count(session, selected, until=now() + COUNT_SECONDS)
    return render_template(
        "triggers/judge.html",
        state=state,
        counted=counted,
        newest=selected.newest,
        seen_at=selected.at.isoformat(),
        since=write_time(state.period.since) if state.period.since else "",
        until=write_time(state.period.until) if state.period.until else "",
        most=judging_many.MAX_AT_ONCE,
        dispositions=Disposition,
    )


@blueprint.post("/judge")
def judge_all() -> str | Response:
    """Judges for a second, then goes on in another request, until all are judged that were seen."""
    session = db.session()
    run = _Run.read(session)
    ends = now() + JUDGE_SECONDS
    progress = run.progress
    while True:
        with bounded_time(session):
            progress = judging_many.judge_batch(
                session, run.selected, run.judgement, run.made_at, progress, replace_judged=run.replace_judged
            )
            session.commit()
        if progress.finished or now() > ends:
            break
    if not progress.finished:
        return render_template("triggers/judging.html", run=run, progress=progress)
    kept = {"left": progress.left, "meanwhile": progress.meanwhile, "replaced": progress.replaced}
    counts = {name: str(number) for name, number in kept.items() if number}
    return redirect(run.state.address(url_for(".judged", at=run.made_at.isoformat()), **counts))


@blueprint.get("/judged/<at>")
def judged(at: str) -> str:
    """What one judgement of many has done, and the button to undo it."""
    made_at = _moment("at", at)
    count, disposition, note = judging_many.count_made_at(db.session(), current_user.name, made_at)
    numbers = {name: _number(request.args.get(name, "0"), name) for name in ("left", "meanwhile", "replaced")}
    return render_template(
        "triggers/judged.html",
        state=KIND.state("left", "meanwhile", "replaced"),
        at=at,
        made_at=made_at,
        count=count,
        disposition=disposition,
        note=note,
        undoable=count > 0 and now() - made_at < judging_many.UNDO_WITHIN,
        **numbers,
    )


@blueprint.post("/judged/<at>/undo")
def undo_all(at: str) -> Response:
    """Takes back one judgement of many."""
    session = db.session()
    taken_back = 0
    while batch := judging_many.undo_batch(session, current_user.name, _moment("at", at)):
        session.commit()
        taken_back += batch
    flash(f"Took back the judgement of {taken_back:,} trigger{'' if taken_back == 1 else 's'}.", "success")
    return redirect(KIND.state().address())


@dataclass(frozen=True, slots=True)
class _Run:
    """A judgement of many on its way, as its form carries it."""

    state: ListState
    selected: Selected
    judgement: Judgement
    made_at: datetime
    replace_judged: bool
    progress: Progress

    @classmethod
    def read(cls, session: Session) -> "_Run":
        """Raises ``InvalidInput`` for what no page of ours has sent."""
        form = request.form
        disposition = _disposition()
        if disposition is None:
            raise InvalidInput([FieldFault("disposition", f"wants one of {', '.join(Disposition)}")])
        state = KIND.state()
        since, until = (_moment(name, form[name]) if form.get(name) else None for name in ("since", "until"))
        place = read_state(KIND.path, TRIGGERS.fields, MultiDict({"page": form.get("bookmark", "")}), reader_zone())
        return cls(
            state,
            Selected(
                TRIGGERS.select(session, state.search),
                Period(since, until),
                _number(form.get("newest", ""), "newest"),
                _moment("seen_at", form.get("seen_at", "")),
            ),
            Judgement(disposition, current_user.name, form.get("note") or None),
            _moment("made_at", form["made_at"]) if form.get("made_at") else now(),
            "replace" in form,
            Progress(
                judged=_number(form.get("judged", "0"), "judged"),
                replaced=_number(form.get("replaced", "0"), "replaced"),
                left=_number(form.get("left", "0"), "left"),
                meanwhile=_number(form.get("meanwhile", "0"), "meanwhile"),
                bookmark=place.page,
            ),
        )

    def carried(self, progress: Progress) -> dict[str, str]:
        """What the form has to carry to go on from there."""
        period = self.selected.period
        return {
            "newest": str(self.selected.newest),
            "seen_at": self.selected.at.isoformat(),
            "since": write_time(period.since) if period.since else "",
            "until": write_time(period.until) if period.until else "",
            "disposition": self.judgement.disposition or "",
            "note": self.judgement.note or "",
            "made_at": self.made_at.isoformat(),
            "bookmark": progress.bookmark or "",
            **{name: str(getattr(progress, name)) for name in ("judged", "replaced", "left", "meanwhile")},
            **({"replace": "1"} if self.replace_judged else {}),
        }


def _disposition() -> Disposition | None:
    given = request.form.get("disposition", "")
    if given == _TAKE_BACK:
        return None
    if given not in list(Disposition):
        raise InvalidInput([FieldFault("disposition", f"wants one of {', '.join((*Disposition, _TAKE_BACK))}")])
    return Disposition(given)


def _seen() -> datetime | Anything | None:
    """The judgement that the reader saw: an empty field says that there was none."""
    given = request.form.get("seen")
    if given is None:
        return ANYTHING
    return _moment("seen", given) if given else None


def _moment(name: str, written: str) -> datetime:
    try:
        return read_time(written, UTC)
    except ValueError as error:
        raise InvalidInput([FieldFault(name, str(error))]) from None


def _number(given: str, name: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= MAX_ID):
        raise InvalidInput([FieldFault(name, "wants a whole number")])
    return int(given)


def _list_of(path: str) -> ListState | None:
    """The state of the list that a path of ours leads to."""
    try:
        return read_state(KIND.path, TRIGGERS.fields, MultiDict(parse_qsl(urlsplit(path).query)), reader_zone())
    except InvalidInput:
        return None


def _back() -> str:
    return own_path(request.form.get("back")) or KIND.path
