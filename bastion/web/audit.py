"""The audit log, for admins."""

import json
from datetime import date
from typing import Any

from flask import Blueprint, render_template, request, url_for

from bastion.errors import FieldFault, InvalidInput
from bastion.models import MAX_ID
from bastion.runtime import runtime
from bastion.services.audit.search import AuditFilter, page_of_audit, time_of

blueprint = Blueprint("audit", __name__, url_prefix="/audit")

PER_PAGE = 50
FILTERS = ("who", "action", "text", "since", "until")


@blueprint.get("/")
def index() -> str:
    """The newest entries that fit what the address says."""
    narrowed = AuditFilter(_text("who"), _text("action"), _text("text"), _day("since"), _day("until"))
    page = page_of_audit(runtime().audit.path, narrowed, per_page=PER_PAGE, before=_before())
    asked: dict[str, Any] = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    return render_template(
        "audit/index.html",
        page=page,
        rows=[_row(entry) for entry in page.entries],
        asked=asked,
        older=url_for(".index", **asked, before=page.older) if page.older is not None else None,
        newest=url_for(".index", **asked) if "before" in request.args else None,
    )


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as the page shows it: its changes as lines of text."""
    before, after = entry.get("before") or {}, entry.get("after") or {}
    changes = []
    if isinstance(before, dict) and isinstance(after, dict):
        changes = [(name, _plain(before.get(name)), _plain(after.get(name))) for name in {**before, **after}]
    return {
        **entry,
        "moment": time_of(entry),
        "changes": changes,
        "about": _pairs("target", entry) + _pairs("detail", entry),
    }


def _pairs(field: str, entry: dict[str, Any]) -> list[tuple[str, str]]:
    found = entry.get(field)
    if isinstance(found, dict):
        return [(name, _plain(value)) for name, value in found.items() if value is not None]
    return [(field, _plain(found))] if found else []


def _plain(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _text(name: str) -> str | None:
    return request.args.get(name, "").strip()[:200] or None


def _day(name: str) -> date | None:
    given = request.args.get(name, "").strip()
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        raise InvalidInput([FieldFault(name, "wants a day such as 2026-11-23")]) from None


def _before() -> int | None:
    given = request.args.get("before", "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= MAX_ID):
        raise InvalidInput([FieldFault("before", "wants a place in the log, as the link to older entries has it")])
    return int(given)
