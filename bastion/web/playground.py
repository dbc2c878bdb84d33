"""Trying a text on the live rules."""

from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from bastion.firewall.analysis import Analysis, Direction, Submission
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.runtime import runtime
from bastion.web.forms import PlaygroundForm
from bastion.web.marked_text import Mark, mark

blueprint = Blueprint("playground", __name__, url_prefix="/try")

SOURCE = "playground"


@blueprint.route("/", methods=["GET", "POST"])
def analyse() -> str | Response | tuple[str, int]:
    """Judges a pasted text and shows why; recorded only if asked."""
    firewall = runtime().firewall
    form = PlaygroundForm(flow=DEFAULT_FLOW)
    form.flow.choices = [flow.name for flow in firewall.flows if flow.pipelines]
    if not form.validate_on_submit():
        return render_template("playground.html", form=form, analysis=None), 422 if form.errors else 200
    submission = Submission(
        prompt=(form.prompt.data or "").replace("\r\n", "\n"),
        flow_name=form.flow.data,
        direction=Direction(form.direction.data),
        source=SOURCE,
    )
    analysis = firewall.analyze(submission) if form.record.data else firewall.judge(submission)
    return render_template(
        "playground.html", form=form, analysis=analysis, marked=mark(submission.prompt, _marks(analysis))
    )


def _marks(analysis: Analysis) -> list[Mark]:
    return [Mark(*span, match.rule.name) for match in analysis.verdict.matches for span in match.spans]
