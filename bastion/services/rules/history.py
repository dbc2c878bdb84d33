"""The versions of a rule, which the rule itself keeps: who saved which, when and why, with the whole content."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, NamedTuple

from bastion.engine import RuleSpec
from bastion.engine.validation import UNSTORABLE
from bastion.errors import FieldFault, InvalidRule, NotFound
from bastion.models import Rule, utc_now

MAX_VERSIONS: Final = 200
"""Versions that a rule keeps; the oldest go first."""

MAX_BYTES: Final = 2_000_000
"""Of all that a rule keeps of its versions."""

MAX_COMMENT: Final = 500
"""Code points of the reason for a change."""

CONTENT: Final = (
    *(field.name for field in fields(RuleSpec) if field.name not in ("id", "version", "uuid")),
    "archived",
)
"""What a version holds. A rule's uuid never changes."""

Content = dict[str, Any]


class Signature(NamedTuple):
    """Who makes a change, and why: an account's or a token's name, and a note of their own."""

    by: str | None = None
    why: str | None = None


UNSIGNED: Final = Signature()
"""Of a change that no person asked for."""


@dataclass(frozen=True, slots=True)
class Version:
    """One saved version. ``at``, ``by`` and ``why`` are ``None`` where nobody kept them, as is ``content``."""

    number: int
    at: datetime | None
    by: str | None
    why: str | None
    content: Content | None


def content_of(rule: Rule) -> Content:
    """What the rule says, as JSON can hold it."""
    content = {name: getattr(rule, name) for name in CONTENT if name != "archived"}
    content |= {name: list(value) for name, value in content.items() if isinstance(value, tuple)}
    content["exceptions"] = [one.as_json() for one in rule.exceptions or ()]
    return content | {"archived": rule.archived_at is not None}


def begin_history(rule: Rule, signature: Signature) -> None:
    """Signs the first version of a rule that is about to be stored."""
    rule.history = [_signed(1, signature)]


def continued(stored: Any, version: int, content: Content, saved_at: datetime, signature: Signature) -> list[Any]:
    """The history of a rule whose next version is about to be stored, as it is to be kept.

    ``stored`` is the history so far, ``version`` and ``content`` are of what is replaced, saved at ``saved_at``.
    """
    kept = _entries(stored)
    if not kept or kept[-1]["version"] != version:
        # Saved before there was a history, or by a program that knows of none.
        kept.append({"version": version, "at": saved_at.isoformat(), "by": None, "why": None})
    kept[-1] = {**kept[-1], "content": content}
    return [*_bounded(kept), _signed(version + 1, signature)]


def versions(rule: Rule) -> list[Version]:
    """All versions that are known, the newest, which is in force, first."""
    found = {entry["version"]: _version(entry) for entry in _entries(rule.history) if entry["version"] <= rule.version}
    now = found.get(rule.version)
    found[rule.version] = Version(
        rule.version,
        (now.at if now else None) or rule.updated_at,
        now.by if now else None,
        now.why if now else None,
        content_of(rule),
    )
    return [found[number] for number in sorted(found, reverse=True)]


def kept_entries(rule: Rule) -> list[dict[str, Any]]:
    """The history as it is kept, up to the version that is in force."""
    entries = [entry for entry in _entries(rule.history) if entry["version"] <= rule.version]
    if not entries or entries[-1]["version"] != rule.version:
        entries.append({"version": rule.version, "at": rule.updated_at.isoformat(), "by": None, "why": None})
    return entries


def get_version(rule: Rule, number: int) -> Version:
    """Raises ``NotFound`` for a version whose content is not kept."""
    for version in versions(rule):
        if version.number == number and version.content is not None:
            return version
    raise NotFound(f"version {number} of rule {rule.id} is not kept")


def check_comment(comment: str | None) -> str | None:
    """The reason for a change as it is kept. Raises ``InvalidRule``."""
    comment = (comment or "").strip() or None
    if comment and len(comment) > MAX_COMMENT:
        raise InvalidRule([FieldFault("comment", f"has {len(comment)} characters, at most {MAX_COMMENT} are kept")])
    if comment and UNSTORABLE.search(comment):
        raise InvalidRule([FieldFault("comment", "has a character that cannot be stored")])
    return comment


def _signed(version: int, signature: Signature) -> dict[str, Any]:
    return {"version": version, "at": utc_now().isoformat(), "by": signature.by, "why": signature.why}


def _entries(stored: Any) -> list[dict[str, Any]]:
    """Those entries that can be read: other programs write to the same table."""
    if not isinstance(stored, list):
        return []
    found = [entry for entry in stored if isinstance(entry, dict) and type(entry.get("version")) is int]
    return sorted(found, key=lambda entry: entry["version"])


def _bounded(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    newest = entries[-(MAX_VERSIONS - 1) :]
    room = MAX_BYTES
    for place in range(len(newest) - 1, -1, -1):
        room -= len(json.dumps(newest[place], ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if room < 0:
            return list(newest[place + 1 :])
    return list(newest)


def _version(entry: dict[str, Any]) -> Version:
    content = entry.get("content")
    if isinstance(content, dict) and "pattern" in content:
        content = {name: content[name] for name in CONTENT if name in content}
    else:
        content = None
    return Version(entry["version"], _moment(entry.get("at")), _text(entry.get("by")), _text(entry.get("why")), content)


def _moment(stored: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _text(stored: Any) -> str | None:
    return stored if isinstance(stored, str) and stored else None
