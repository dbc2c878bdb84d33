"""A rule's exceptions: listed, made with a look at what they would have silenced, taken away."""

from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, IntegerField, SelectChoice, SelectField, StringField, SubmitField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional
from wtforms.widgets import HiddenInput

from bastion.engine import ExceptionKind, RuleException
from bastion.engine.exceptions import MAX_REASON, MAX_VALUE
from bastion.errors import Conflict, FieldFault, InvalidInput, InvalidRule
from bastion.extensions import db
from bastion.models import Event, Rule, utc_now
from bastion.runtime import runtime
from bastion.services.events.evidence import hits_of
from bastion.services.events.stored_events import get_event
from bastion.services.rules import exceptions, stored_rules
from bastion.services.rules.exceptions import Silenced
from bastion.services.search.timerange import read_time
from bastion.web.rules.specs import spec_of
from bastion.web.zones import reader_zone

Answer = str | Response | tuple[str, int]

KINDS = {
    ExceptionKind.TEXT: "this exact text",
    ExceptionKind.REGEX: "matches within an expression",
    ExceptionKind.SOURCE: "this source",
    ExceptionKind.FLOW: "this flow",
}
"""The kinds as pages call them, the narrowest first."""


class ExceptionForm(FlaskForm):  # type: ignore[misc]
    """An exception being made, the version of the rule that it was begun on, and the event that gave cause."""

    kind = SelectField("Except", choices=[SelectChoice(kind.value, words) for kind, words in KINDS.items()])
    value = TextAreaField(
        "What",
        [DataRequired("Say what is excepted."), Length(max=2 * MAX_VALUE)],
        description="For an expression: matches of the rule that lie within what it matches in the text as sent do not "
        "count, others in the same text do. A long text stands here by its SHA-256.",
    )
    reason = StringField("Reason", [DataRequired("Say why."), Length(max=MAX_REASON)])
    until = StringField("Until", [Optional()], description="No date: for good.")
    version = IntegerField(widget=HiddenInput(), validators=[Optional()])
    event = HiddenField(validators=[Length(max=40)])
    add = SubmitField("Add the exception")
    count = SubmitField("Count again")

    def exception(self) -> RuleException:
        """Raises ``InvalidRule``."""
        try:
            until = read_time(self.until.data, reader_zone()) if self.until.data else None
        except ValueError as error:
            raise InvalidRule([FieldFault("until", str(error))]) from None
        kind = ExceptionKind(self.kind.data)
        value = (self.value.data or "").replace("\r\n", "\n")
        value = value if kind is ExceptionKind.TEXT else value.strip()
        return exceptions.new_exception(kind, value, self.reason.data or "", until, current_user.name)

    def show_faults(self, error: InvalidInput) -> None:
        for fault in error.faults:
            field = getattr(self, fault.field, None) or self.value
            field.errors = [*field.errors, fault.message]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an exception would have silenced; ``this`` is the trigger of the event at hand, if there is one."""

    silenced: Silenced
    this: bool | None = None


def index(rule_id: int) -> str:
    """All exceptions of the rule, those that are over too."""
    rule = stored_rules.get_rule(db.session(), rule_id)
    return render_template("rules/exceptions.html", rule=rule, tab="exceptions", now=utc_now(), kinds=KINDS)


def new(rule_id: int) -> Answer:
    """Shows what an exception would have silenced, and adds it."""
    session = db.session()
    rule = stored_rules.get_rule(session, rule_id)
    if request.method == "GET":
        event = get_event(session, request.args["event"]) if request.args.get("event") else None
        return _begun(rule, event)
    form = ExceptionForm()
    event = get_event(session, form.event.data) if form.event.data else None
    if not form.validate():
        return _page(form, rule, event), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        one = form.exception()
        if form.count.data:
            return _page(form, rule, event, one)
        exceptions.add_exception(session, rule, one, form.version.data, actor=current_user.name)
    except InvalidRule as error:
        form.show_faults(error)
        return _page(form, rule, event), HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict:
        session.rollback()
        return _overtaken(form, stored_rules.get_rule(session, rule_id), one)
    session.commit()
    flash(f"{rule.name} has one more exception; that is version {rule.version}.", "success")
    return redirect(url_for(".exceptions", rule_id=rule.id))


def remove(rule_id: int) -> Response:
    """Takes an exception away from the version that the page showed."""
    session = db.session()
    rule = stored_rules.get_rule(session, rule_id)
    seen = request.form.get("seen", "")
    if not (seen.isascii() and seen.isdigit() and len(seen) < 10):
        raise InvalidInput([FieldFault("seen", "wants the number of a version")])
    exceptions.remove_exception(session, rule, request.form.get("id", ""), int(seen), actor=current_user.name)
    session.commit()
    flash(f"{rule.name} has one exception less; that is version {rule.version}.", "success")
    return redirect(url_for(".exceptions", rule_id=rule.id))


def _begun(rule: Rule, event: Event | None) -> str:
    """The form as the address begins it."""
    words = request.args.get("kind") or ExceptionKind.TEXT.value
    if words not in list(ExceptionKind):
        raise InvalidInput([FieldFault("kind", f"wants one of {', '.join(ExceptionKind)}")])
    kind = ExceptionKind(words)
    form = ExceptionForm(kind=words, version=rule.version, event=event.uid if event else "")
    if event is None:
        return _page(form, rule, None)
    hit = next((hit for hit in hits_of(db.session(), event) if hit.uuid == rule.uuid), None)
    form.value.data = exceptions.suggested(event, kind, hit.spans if hit else ())
    form.reason.data = (hit.trigger.note if hit and hit.trigger else None) or f"false positive in event {event.id}"
    try:
        return _page(form, rule, event, form.exception())
    except InvalidRule:
        # There is nothing to suggest: the event names no source, or its text was not kept.
        return _page(form, rule, event)


def _overtaken(form: ExceptionForm, rule: Rule, one: RuleException) -> Answer:
    form.version.raw_data = None
    form.version.data = rule.version
    form.value.errors = [
        f"Somebody has saved version {rule.version} of the rule meanwhile. Look at it, and add the exception again."
    ]
    return _page(form, rule, None, one), HTTPStatus.CONFLICT


def _page(form: ExceptionForm, rule: Rule, event: Event | None, one: RuleException | None = None) -> str:
    effect = None
    if one is not None:
        session, compiler = db.session(), runtime().trying.unfiltered
        this = exceptions.silences(spec_of(rule), one, event, compiler) if event else None
        effect = Effect(exceptions.silenced(session, spec_of(rule), one, compiler), this)
    return render_template(
        "rules/exceptions_new.html", form=form, rule=rule, event=event, effect=effect, one=one, kinds=KINDS
    )


def add_routes(blueprint: Blueprint) -> None:
    blueprint.get("/<int:rule_id>/exceptions", endpoint="exceptions")(index)
    blueprint.route("/<int:rule_id>/exceptions/new", methods=["GET", "POST"], endpoint="new_exception")(new)
    blueprint.post("/<int:rule_id>/exceptions/remove", endpoint="remove_exception")(remove)
