"""What a load balancer asks."""

from typing import Any

from flask import Blueprint
from sqlalchemy.exc import SQLAlchemyError

from bastion.errors import RulesUnavailable
from bastion.runtime import runtime
from bastion.schema import current_revision

blueprint = Blueprint("probes", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Whether texts can be judged and recorded, and how many rules are skipped. 503 when not."""
    try:
        revision = current_revision()
        rule_set = runtime().firewall.rules.current()
    except (SQLAlchemyError, RulesUnavailable):
        return {"status": "unavailable", "database": "cannot be reached"}, 503
    status = "degraded" if rule_set.skipped else "ok"
    return {"status": status, "revision": revision, "rules": rule_set.rules, "rules_skipped": rule_set.skipped}, 200
