"""A rule's exceptions over JSON: made and taken away one by one, each a new version of the rule."""

from datetime import UTC
from typing import Any

from flask import Blueprint, g
from pydantic import BaseModel

from bastion.api.parsing import Number, Text, body
from bastion.api.rules import check_precondition, rule_in_use, shape
from bastion.engine import ExceptionKind
from bastion.errors import FieldFault, InvalidRule
from bastion.extensions import db
from bastion.services.rules import exceptions
from bastion.services.search.timerange import read_time


class ExceptionIn(BaseModel):
    """A new exception. ``version`` is that of the rule that it was thought of on."""

    kind: ExceptionKind
    value: Text
    reason: Text
    until: Text | None = None
    version: Number | None = None


def add_exception(key: str) -> tuple[dict[str, Any], int]:
    """Adds an exception to a rule, and answers with the rule: its last exception is the new one."""
    sent = body(ExceptionIn)
    rule = rule_in_use(key)
    check_precondition(rule)
    try:
        until = None if sent.until is None else read_time(sent.until, UTC)
    except ValueError as error:
        raise InvalidRule([FieldFault("until", str(error))]) from None
    one = exceptions.new_exception(sent.kind, sent.value, sent.reason, until, g.token.name)
    rule = exceptions.add_exception(db.session(), rule, one, sent.version, actor=g.token.name)
    db.session.commit()
    return shape(rule), 201


def remove_exception(key: str, exception: str) -> dict[str, Any]:
    """Takes an exception away from a rule by its id, and answers with the rule."""
    rule = rule_in_use(key)
    check_precondition(rule)
    rule = exceptions.remove_exception(db.session(), rule, exception, None, actor=g.token.name)
    db.session.commit()
    return shape(rule)


def add_routes(api: Blueprint) -> None:
    all_of_one = "/rules/<key>/exceptions"
    api.post(all_of_one)(add_exception)
    api.delete(f"{all_of_one}/<exception>")(remove_exception)
