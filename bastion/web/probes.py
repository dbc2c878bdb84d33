"""What a load balancer asks."""

import logging
from typing import Any

from flask import Blueprint
from sqlalchemy.exc import SQLAlchemyError

from bastion.errors import RulesUnavailable
from bastion.runtime import runtime
from bastion.schema import current_revision
from bastion.services.system_facts import disk_free

blueprint = Blueprint("probes", __name__)

log = logging.getLogger(__name__)

LITTLE_ROOM = 64 * 1024 * 1024
"""Bytes: with less on the disk or in the spool, somebody should look."""

LARGEST_EVENT = 8 * 1024 * 1024
"""Bytes that an event of the longest text takes in the spool, where a character can take six."""


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Whether texts can be judged and their events kept, and what is not as it should be. 503 when they cannot."""
    recorder = runtime().firewall.recorder
    waiting, room = recorder.spool.waiting(), recorder.spool.room()
    try:
        rule_set = runtime().firewall.rules.current()
    except RulesUnavailable:
        return {"status": "unavailable", "database": "cannot be reached"}, 503
    revision = None if recorder.away else _revision()
    disk = _disk_free()
    can_store = revision is not None
    unread = runtime().firewall.rules.unreachable_since
    state: dict[str, Any] = {
        "status": "ok",
        "database": "ok" if can_store else "takes no events",
        "revision": revision,
        "rules": rule_set.rules,
        "rules_skipped": rule_set.skipped,
        "rules_unread_since": unread.isoformat(timespec="seconds") if unread else None,
        "spool_events": waiting.events,
        "spool_since": waiting.since.isoformat(timespec="seconds") if waiting.since else None,
        "spool_room_bytes": room,
        "disk_free_bytes": disk,
    }
    if not can_store and room < LARGEST_EVENT:
        return {**state, "status": "unavailable"}, 503
    if not can_store or unread or rule_set.skipped or waiting.events or min(room, disk) < LITTLE_ROOM:
        state["status"] = "degraded"
    return state, 200


def _disk_free() -> int:
    """Bytes on the fullest of the disks that are written to."""
    settings = runtime().settings
    folders = {settings.instance, settings.sqlite_file.parent if settings.sqlite_file else settings.instance}
    return min(disk_free(folder)[0] for folder in folders)


def _revision() -> str | None:
    """The database's revision; ``None`` when it cannot be asked."""
    try:
        return current_revision()
    except SQLAlchemyError as error:
        log.error("the database cannot be asked for its revision: %s", type(error).__name__)
        return None
