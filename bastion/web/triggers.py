"""Triggers: what fired, and what was made of it."""

from typing import Final

from flask import Blueprint
from werkzeug.wrappers import Response

from bastion.services.search.facets import trigger_facets
from bastion.services.search.trigger_fields import TRIGGERS
from bastion.services.triggers import stored_triggers
from bastion.web.list_pages import ListKind, show_facets, show_list, stream_export

blueprint = Blueprint("triggers", __name__, url_prefix="/triggers")

KIND: Final = ListKind(
    "triggers",
    TRIGGERS,
    stored_triggers.trigger_rows,
    trigger_facets,
    stored_triggers.EXPORTED,
    stored_triggers.trigger_records,
    {"rule": ("rule", "#")},
)


@blueprint.get("/")
def index() -> str | Response:
    """The triggers that the address says, newest first."""
    return show_list(KIND, lambda _session, _state: {})


@blueprint.get("/facets")
def facets() -> str:
    """The list's counts."""
    return show_facets(KIND)


@blueprint.get("/export.<suffix>")
def export(suffix: str) -> Response:
    """The list as a file."""
    return stream_export(KIND, suffix)
