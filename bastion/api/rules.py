"""Rules over JSON, in AIDR Bastion's shapes with the new fields."""

from typing import Annotated, Any, Final

from flask import Blueprint, g, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import PreconditionFailed

from bastion.api.parsing import Flag, Number, Text, body, query
from bastion.engine import Action, RuleSpec, Severity, Validator, Views
from bastion.engine.rules import DEFAULT_LANGUAGE
from bastion.errors import FieldFault, InvalidInput, NotFound
from bastion.extensions import db
from bastion.models import MAX_ID, Rule
from bastion.services.rules import stored_rules
from bastion.services.rules.history import versions
from bastion.services.rules.samples import KINDS, lacking_samples

MAX_TEXTS: Final = 1000
"""What a rule may name of one kind: an answer names the fault of each."""

Texts = Annotated[list[Text], Field(max_length=MAX_TEXTS)]


class Samples(BaseModel):
    """Texts that a rule is tried on whenever it is saved."""

    must_match: Texts = []
    must_not_match: Texts = []


class _Content(BaseModel):
    """What a rule may say beside what it must."""

    severity: Severity | None = None
    views: Views = Views.ALL
    validator: Validator | None = None
    category: Text | None = None
    cwe_id: Text | None = None
    enabled: Flag = True
    author: Text | None = None
    tags: Texts = []
    references: Texts = []
    false_positives: Texts = []
    samples: Samples | None = None
    comment: Text | None = None


class RuleIn(_Content):
    """A new rule."""

    uuid: Text = Field(default_factory=stored_rules.new_uuid)
    name: Text
    details: Text
    language: Text = DEFAULT_LANGUAGE
    pattern: Text
    action: Action


class RuleChange(_Content):
    """Changes to a rule: only the fields that are sent count. ``version`` is the one they were made on."""

    name: Text = ""
    details: Text = ""
    language: Text = ""
    pattern: Text = ""
    action: Action = Action.NOTIFY
    uuid: Text = ""
    version: Number | None = None


class RuleQuery(BaseModel):
    """Filters of the list; they compose."""

    skip: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    category: Text | None = None
    enabled: bool | None = None


def list_rules() -> dict[str, Any]:
    asked = query(RuleQuery)
    total, found = stored_rules.list_rules(
        db.session(), category=asked.category, enabled=asked.enabled, skip=asked.skip, limit=asked.limit
    )
    return {"total": total, "rules": [shape(rule) for rule in found]}


def get_rule(key: str) -> dict[str, Any]:
    """One rule by its id or its uuid, as every route that names a rule."""
    return shape(rule_in_use(key))


def create_rule() -> tuple[dict[str, Any], int]:
    content = body(RuleIn).model_dump()
    why = content.pop("comment")
    rule = stored_rules.create_rule(db.session(), RuleSpec(**_fields(content)), actor=g.token.name, why=why)
    db.session.commit()
    return _saved(rule), 201


def update_rule(key: str) -> dict[str, Any]:
    """Changes what is sent. A rule may be sent back whole, with the uuid that it has."""
    changes = body(RuleChange).model_dump(exclude_unset=True)
    version, why = changes.pop("version", None), changes.pop("comment", None)
    rule = rule_in_use(key)
    check_precondition(rule)
    if changes.pop("uuid", rule.uuid) != rule.uuid:
        raise InvalidInput([FieldFault("uuid", "cannot be changed")])
    rule = stored_rules.update_rule(db.session(), rule, _fields(changes), version, actor=g.token.name, why=why)
    db.session.commit()
    return _saved(rule)


def delete_rule(key: str) -> tuple[str, int]:
    """Takes the rule away. One that has triggered is archived instead: its triggers are evidence."""
    rule = rule_in_use(key)
    check_precondition(rule)
    stored_rules.retire_rule(db.session(), rule, actor=g.token.name)
    db.session.commit()
    return "", 204


def toggle_rule(key: str) -> dict[str, Any]:
    rule = rule_in_use(key)
    check_precondition(rule)
    rule = stored_rules.toggle_rule(db.session(), rule, actor=g.token.name)
    db.session.commit()
    return shape(rule)


def rule_history(key: str) -> dict[str, Any]:
    """The versions of a rule, archived or not, the newest first."""
    rule = stored_rules.find_rule(db.session(), key)
    return {
        "id": rule.id,
        "uuid": rule.uuid,
        "versions": [
            {
                "version": version.number,
                "at": version.at.isoformat() if version.at else None,
                "by": version.by,
                "comment": version.why,
                "content": version.content,
            }
            for version in versions(rule)
        ],
    }


def shape(rule: Rule) -> dict[str, Any]:
    """A rule as the API gives it."""
    return {
        "id": rule.id,
        "uuid": rule.uuid,
        "name": rule.name,
        "details": rule.details,
        "language": rule.language,
        "pattern": rule.pattern,
        "action": rule.action,
        "severity": rule.severity,
        "category": rule.category,
        "cwe_id": rule.cwe_id,
        "enabled": rule.enabled,
        "created_at": rule.created_at.isoformat(),
        "updated_at": rule.updated_at.isoformat(),
        "version": rule.version,
        "author": rule.author,
        "tags": list(rule.tags),
        "references": list(rule.references),
        "false_positives": list(rule.false_positives),
        "views": rule.views,
        "validator": rule.validator,
        "exceptions": [one.as_json() for one in rule.exceptions],
        "samples": {"must_match": list(rule.must_match), "must_not_match": list(rule.must_not_match)},
    }


def rule_in_use(key: str) -> Rule:
    """Raises ``NotFound``, for an archived rule too."""
    rule = stored_rules.find_rule(db.session(), key)
    if rule.archived_at is not None:
        raise NotFound(f"rule {key} is archived: it can be seen and restored on its page")
    return rule


def check_precondition(rule: Rule) -> None:
    """Holds a change to the version that ``If-Match`` names."""
    if request.if_match and not request.if_match.contains(str(rule.version)):
        raise PreconditionFailed(f"rule {rule.id} is at version {rule.version} by now")


def _saved(rule: Rule) -> dict[str, Any]:
    """A rule that was just written, with what its author should know."""
    lacking = lacking_samples(stored_rules.readable(rule))
    return shape(rule) | ({"warnings": [str(one) for one in lacking]} if lacking else {})


def _fields(content: dict[str, Any]) -> dict[str, Any]:
    """The fields as ``RuleSpec`` has them; of samples only the kinds that were sent."""
    if "samples" in content:
        samples = content.pop("samples")
        content |= dict.fromkeys(KINDS, ()) if samples is None else samples
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}


def add_routes(api: Blueprint) -> None:
    one = "/rules/<key>"
    api.get("/rules")(list_rules)
    api.post("/rules")(create_rule)
    api.get(one)(get_rule)
    api.put(one)(update_rule)
    api.delete(one)(delete_rule)
    api.patch(f"{one}/toggle")(toggle_rule)
    api.get(f"{one}/history")(rule_history)
