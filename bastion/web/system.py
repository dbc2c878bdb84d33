"""What this Bastion is made of and how it is."""

import os
import platform
from typing import Any

from alembic.script import ScriptDirectory
from dotenv import dotenv_values
from flask import Blueprint, current_app, render_template
from sqlalchemy.exc import SQLAlchemyError

from bastion.errors import RulesUnavailable
from bastion.extensions import db
from bastion.models import utc_now
from bastion.runtime import runtime
from bastion.schema import current_revision
from bastion.services import system_facts
from bastion.services.search.event_fields import FLOW
from bastion.services.search.tokens import Token, write
from bastion.settings import unsupported_variables

blueprint = Blueprint("system", __name__, url_prefix="/system")


@blueprint.get("/")
def show() -> str:
    """Versions, database, rules in force and those that are skipped, flows, folders, settings.

    It is what people look at when the database is away, so it does without.
    """
    parts = runtime()
    settings = parts.settings
    return render_template(
        "system.html",
        settings=settings,
        in_force=system_facts.settings_in_force(settings),
        ignored=unsupported_variables(sorted({*os.environ, *dotenv_values(".env")})),
        python=platform.python_version(),
        libraries=system_facts.library_versions(),
        url=system_facts.masked_url(settings.database_url),
        **_database(),
        **_rules(),
        flows=[(flow, write((Token(FLOW.name, flow.name),))) for flow in parts.firewall.flows],
        spool=parts.firewall.recorder.spool.waiting(),
        room=parts.firewall.recorder.spool.room(),
        cache=system_facts.folder(settings.instance / "cache"),
        disk=system_facts.disk_free(settings.instance),
        worker=os.getpid(),
        now=utc_now(),
    )


def _database() -> dict[str, Any]:
    config = current_app.extensions["migrate"].migrate.get_config()
    found: dict[str, Any] = {"head": ScriptDirectory.from_config(config).get_current_head()}
    try:
        with db.engine.connect() as connection:
            facts = system_facts.database_facts(connection, runtime().settings)
        return found | {"facts": facts, "revision": current_revision()}
    except SQLAlchemyError as error:
        return found | {"facts": None, "revision": None, "away": type(error).__name__}


def _rules() -> dict[str, Any]:
    live = runtime().firewall.rules
    try:
        return {"rule_set": live.current(), "unreachable_since": live.unreachable_since}
    except RulesUnavailable as error:
        return {"rule_set": None, "rules_fault": str(error)}
