"""Rules being written: checked while they are, saved, and put together with what somebody else has saved meanwhile."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from bastion.engine import RuleSpec
from bastion.errors import Conflict, InvalidRule
from bastion.extensions import db
from bastion.models import MAX_ID, Rule
from bastion.runtime import runtime
from bastion.services.rules import stored_rules
from bastion.services.rules.checks import Checked, Finding, check_draft
from bastion.services.rules.comparing import MergedField, merge
from bastion.services.rules.history import Version, content_of, versions
from bastion.services.rules.samples import DRAFT_WAY, KINDS, KeptSample, TriedSample, lacking_samples, try_kept
from bastion.web.forms import RULE_FIELDS, RuleForm, box_text, field_name
from bastion.web.marked_text import Mark, MarkedText, mark

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found, and what became of each sample."""

    checked: Checked
    samples: tuple[tuple[KeptSample, MarkedText], ...] = ()

    @property
    def passed(self) -> int:
        return sum(kept.passed for kept, _ in self.samples)


@dataclass(frozen=True, slots=True)
class Collision:
    """An edit that somebody else was faster than. ``base`` is what both began with, if it is still known."""

    base: Version | None
    theirs: Version
    fields: list[MergedField]


def new() -> Answer:
    """Writes a rule."""
    form = RuleForm()
    if request.method == "GET":
        form.author.data = current_user.name
        form.pattern.data = request.args.get("pattern", "")
        return _page(form)
    if form.check.data:
        return _page(form, report=_report(form))
    if not form.validate():
        return _page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    spec = RuleSpec(uuid=stored_rules.new_uuid(), **form.content())
    try:
        _want_samples(spec)
        rule = stored_rules.create_rule(db.session(), spec, actor=current_user.name, why=form.comment.data)
    except InvalidRule as error:
        form.show_faults(error.faults)
        return _page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    return _saved(rule)


def edit(rule_id: int) -> Answer:
    """Changes a rule, on the version that the editor saw."""
    session = db.session()
    rule = stored_rules.get_rule(session, rule_id)
    form = RuleForm.of(rule)
    if request.method == "GET":
        return _page(form, rule)
    if form.check.data:
        return _page(form, rule, report=_report(form, rule))
    if not form.validate():
        return _page(form, rule), HTTPStatus.UNPROCESSABLE_ENTITY
    changes = form.content()
    if rule.version == form.version.data:
        # Where theirs was chosen, what is stored stays.
        changes = {name: value for name, value in changes.items() if request.form.get(f"choice-{name}") != "theirs"}
    try:
        if rule.version == form.version.data:
            before = stored_rules.readable(rule)
            _want_samples(replace(before, **changes), before)
        stored_rules.update_rule(
            session, rule, changes, form.version.data, actor=current_user.name, why=form.comment.data
        )
    except InvalidRule as error:
        form.show_faults(error.faults)
        return _page(form, rule), HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict:
        session.rollback()
        return _collided(form, stored_rules.get_rule(session, rule_id)), HTTPStatus.CONFLICT
    return _saved(rule)


def check() -> dict[str, Any]:
    """The same check for a page that asks while somebody types."""
    form = RuleForm()
    written = request.form.get("rule", "")
    known = written.isascii() and written.isdigit() and len(written) < 19 and int(written) <= MAX_ID
    report = _report(form, stored_rules.get_rule(db.session(), int(written)) if known else None)
    return {
        "faults": [_finding(fault) for fault in report.checked.faults],
        "warnings": [_finding(warning) for warning in report.checked.warnings],
        "passed": report.passed,
        "samples": [_sample(kept, marked) for kept, marked in report.samples],
    }


def _want_samples(spec: RuleSpec, before: RuleSpec | None = None) -> None:
    """Raises ``InvalidRule`` for a rule that is about to block and has no sample of a kind."""
    if lacking := lacking_samples(spec, before):
        raise InvalidRule([replace(one, message=f"{one.message}; {DRAFT_WAY}") for one in lacking])


def _report(form: RuleForm, rule: Rule | None = None) -> Report:
    """Looks at the form as it stands. Of a choice that there is not, nothing else can be said."""
    form.validate()
    if wrong := [name for name in ("action", "severity", "views", "validator", "language") if form[name].errors]:
        return Report(Checked(tuple(Finding(name, form[name].errors[0]) for name in wrong), ()))
    if wrong := [name for name in KINDS if form[name].errors]:
        return Report(Checked(tuple(Finding(name, form[name].errors[0]) for name in wrong), ()))
    spec = RuleSpec(uuid=rule.uuid if rule else "new", **form.content())
    checked = check_draft(db.session(), spec)
    samples: list[KeptSample] = []
    if not any(fault.field in ("pattern", "language") for fault in checked.faults):
        samples = try_kept(spec, runtime().trying.unfiltered)
    return Report(checked, tuple((kept, _marked(kept.tried)) for kept in samples))


def _marked(tried: TriedSample) -> MarkedText:
    return mark(tried.text, [Mark(start, end, tried.view or "") for start, end in tried.spans])


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "field": field_name(finding.field),
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "text": str(finding),
    }


def _sample(kept: KeptSample, marked: MarkedText) -> dict[str, Any]:
    tried = kept.tried
    return {
        "kind": kept.kind,
        "passed": kept.passed,
        "matched": tried.matched,
        "view": tried.view,
        "revealed": tried.revealed,
        "fault": tried.fault,
        "cut": marked.cut,
        "pieces": [
            {
                "text": piece.token or piece.text,
                "times": piece.times,
                "token": bool(piece.token),
                "marked": bool(piece.marks),
            }
            for piece in marked.pieces
        ],
    }


def _page(
    form: RuleForm, rule: Rule | None = None, *, report: Report | None = None, collision: Collision | None = None
) -> str:
    return render_template(
        "rules/edit.html",
        form=form,
        rule=rule,
        report=report,
        collision=collision,
        box_text=box_text,
        field_name=field_name,
        labels=RULE_FIELDS,
        unsaved=request.method == "POST",
        categories=stored_rules.categories(db.session()),
    )


def _collided(form: RuleForm, stored: Rule) -> str:
    """The form with what can be put together put together; saving it goes on from the version that is stored now."""
    known = {version.number: version for version in versions(stored)}
    base = known.get(form.version.data or 0)
    theirs = known[stored.version]
    mine = {name: list(value) if isinstance(value, tuple) else value for name, value in form.content().items()}
    fields = merge(base.content if base else None, content_of(stored), mine, list(mine))
    for field in fields:
        if not field.collides:
            form.take(field.field, field.merged)
    form.version.raw_data = None
    form.version.data = stored.version
    return _page(form, stored, collision=Collision(base if base and base.content else None, theirs, fields))


def _saved(rule: Rule) -> Response:
    db.session.commit()
    flash(f"Saved {rule.name}.", "success")
    return redirect(url_for(".show", rule_id=rule.id))


def add_routes(blueprint: Blueprint) -> None:
    blueprint.route("/new", methods=["GET", "POST"])(new)
    blueprint.route("/<int:rule_id>/edit", methods=["GET", "POST"])(edit)
    blueprint.post("/check")(check)
