"""What a rule, saved or not, would have done to stored events: step by step, with nothing kept on the server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from flask import Blueprint, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from bastion.engine import RuleSpec
from bastion.errors import FieldFault, InvalidInput, InvalidRule
from bastion.extensions import db
from bastion.models import MAX_ID, Rule, utc_now
from bastion.runtime import runtime
from bastion.services.rules import stored_rules
from bastion.services.rules.backtest import Backtest, Pair
from bastion.services.rules.backtest_run import Run, begin, go_on, read_run
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.timerange import DEFAULT, IN_WORDS, TimeRange, read_range
from bastion.services.search.tokens import Search, parse
from bastion.web.forms import RuleForm
from bastion.web.lists import ListState
from bastion.web.rules.specs import spec_of
from bastion.web.zones import reader_zone

_NOT_CARRIED = ("csrf_token", "submit", "check")
_SETTINGS = ("q", "range", "from", "to")


@dataclass(frozen=True, slots=True)
class Tested:
    """What is tested: a draft as a form has it in ``fields``, or a rule as it is saved."""

    draft: RuleSpec
    rule: Rule | None
    fields: Sequence[tuple[str, str]] = ()

    @property
    def pair(self) -> Pair:
        return Pair(self.draft, spec_of(self.rule) if self.rule else None)


def of_rule(rule_id: int) -> str | Response:
    """A rule as it is saved."""
    rule = stored_rules.get_rule(db.session(), rule_id)
    return _answer(Tested(spec_of(rule), rule), url_for(".backtest", rule_id=rule.id))


def of_draft() -> str | Response:
    """A rule as the form that is sent has it, against its saved version if it has one."""
    rule = _rule_of_form()
    form = RuleForm.of(rule) if rule else RuleForm()
    form.validate()
    names = [name for name in (*form.data, "rule") if name not in _NOT_CARRIED]
    fields = [(name, value) for name in names for value in request.form.getlist(name)]
    try:
        wrong = [FieldFault(name, str(errors[0])) for name, errors in form.errors.items()]
        if any(form[name].errors for name in ("action", "severity", "views", "validator", "language", "pattern")):
            raise InvalidRule(wrong)
        draft = RuleSpec(uuid=rule.uuid if rule else "draft", **form.content())
    except InvalidInput as error:
        return _refused(error, rule, fields)
    if rule:
        # The form has no box for them.
        draft = replace(draft, exceptions=rule.exceptions)
    return _answer(Tested(draft, rule, fields), url_for(".backtest_draft"))


def _answer(tested: Tested, path: str) -> str | Response:
    run = None
    faults: tuple[FieldFault, ...] = ()
    search: Search = ()
    try:
        search = parse(request.form.get("q", ""), EVENTS.fields)
        if "run" in request.form or "begin" in request.form:
            run = _next(tested, search)
    except InvalidInput as error:
        faults = error.faults
    page = render_template(
        "rules/backtest.html",
        rule=tested.rule,
        draft=tested.draft,
        is_draft=bool(tested.fields),
        fields=tested.fields,
        path=path,
        run=run,
        faults=faults,
        ranges=IN_WORDS,
        settings={name: request.form.get(name, DEFAULT if name == "range" else "") for name in _SETTINGS},
        state=ListState(url_for("events.index"), EVENTS.fields, search, TimeRange(None, run.period)) if run else None,
    )
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY) if faults else page


def _next(tested: Tested, search: Search) -> Run:
    session = db.session()
    if "run" in request.form:
        run = read_run(request.form["run"])
    else:
        now = utc_now()
        asked = {name: request.form.get(name) or None for name in ("range", "from", "to")}
        chosen = read_range(asked["range"], asked["from"], asked["to"], reader_zone())
        run = begin(session, search, chosen.period(now), now, reader_zone())
    return go_on(session, Backtest([tested.pair], runtime().trying), search, run)


def _refused(error: InvalidInput, rule: Rule | None, fields: Sequence[tuple[str, str]]) -> Response:
    page = render_template("rules/backtest_refused.html", faults=error.faults, rule=rule, fields=fields)
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)


def _rule_of_form() -> Rule | None:
    written = request.form.get("rule", "")
    if not written:
        return None
    if not (written.isascii() and written.isdigit() and len(written) < 20 and int(written) <= MAX_ID):
        raise InvalidInput([FieldFault("rule", "wants the id of a rule")])
    return stored_rules.get_rule(db.session(), int(written))


def add_routes(blueprint: Blueprint) -> None:
    blueprint.route("/<int:rule_id>/backtest", methods=["GET", "POST"], endpoint="backtest")(of_rule)
    blueprint.post("/backtest", endpoint="backtest_draft")(of_draft)
