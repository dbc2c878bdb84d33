"""A step on a rule's ladder: a page that says what it changes on yesterday's events, and the step."""

from http import HTTPStatus
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from bastion.errors import Conflict, FieldFault, InvalidInput, InvalidRule
from bastion.extensions import db
from bastion.firewall.flows import Mode
from bastion.models import Rule, utc_now
from bastion.runtime import runtime
from bastion.services.rules import rollout, stored_rules
from bastion.services.rules.rollout import BACK, Policies, Stage, stage_of
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.selection import find_window
from bastion.services.search.timerange import Period
from bastion.web.list_pages import FRAGMENT
from bastion.web.rules.specs import spec_of

AT_ONCE: Final = 100
"""Events that may be looked at while the page is made; more are looked at after it."""

Answer = str | Response | tuple[str, int]


def step(rule_id: int) -> Answer:
    """What the step would change, and the step."""
    session = db.session()
    rule = stored_rules.get_rule(session, rule_id)
    stage = _stage(request.values.get("to", ""))
    if request.method == "GET":
        return _page(rule, stage)
    was = stage_of(rule)
    try:
        rollout.take_step(
            session, rule, stage, _seen(), actor=current_user.name, why=request.form.get("comment") or None
        )
    except InvalidRule as error:
        session.rollback()
        return _page(rule, stage, tuple(fault.message for fault in error.faults)), HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict as error:
        session.rollback()
        stored = stored_rules.get_rule(session, rule_id)
        return _page(stored, stage, (f"{error}: look at it again",)), HTTPStatus.CONFLICT
    session.commit()
    flash(f"{rule.name} went from {was} to {stage}; that is version {rule.version}.", "success")
    return redirect(url_for(".show", rule_id=rule.id))


def _page(rule: Rule, stage: Stage, faults: tuple[str, ...] = ()) -> str:
    effect = None
    fragment = FRAGMENT in request.headers
    if not rule.archived_at and stage_of(rule) is not stage:
        spec = spec_of(rule)
        if fragment or "effect" in request.args or _is_quick():
            policies = _policies((spec.category or "").casefold())
            effect = rollout.effect_of(db.session(), spec, stage, policies, runtime().trying)
    return render_template(
        "rules/rollout.html",
        rule=rule,
        was=stage_of(rule),
        stage=stage,
        effect=effect,
        faults=faults,
        fragment=fragment,
    )


def _is_quick() -> bool:
    session = db.session()
    yesterday = Period(utc_now() - BACK, None)
    return find_window(session, EVENTS.select(session, ()), yesterday, AT_ONCE).complete


def _policies(category: str) -> Policies:
    flows = list(runtime().firewall.flows)
    return Policies(
        monitoring={flow.name for flow in flows if flow.mode is Mode.MONITOR},
        deaf={flow.name for flow in flows if category in flow.exclude_categories},
    )


def _stage(written: str) -> Stage:
    try:
        return Stage(written)
    except ValueError:
        raise InvalidInput([FieldFault("to", f"wants one of {', '.join(Stage)}")]) from None


def _seen() -> int:
    written = request.form.get("seen", "")
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise InvalidInput([FieldFault("seen", "wants the number of a version")])
    return int(written)


def add_routes(blueprint: Blueprint) -> None:
    blueprint.route("/<int:rule_id>/rollout", methods=["GET", "POST"], endpoint="rollout")(step)
