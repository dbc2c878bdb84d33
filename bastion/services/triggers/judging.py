"""What analysts make of triggers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from bastion.engine.validation import UNSTORABLE
from bastion.errors import Conflict, FieldFault, InvalidInput, NotFound
from bastion.models import MAX_ID, RuleTrigger, utc_now
from bastion.services.audit.changes import note_when_committed

MAX_NOTE: Final = 2_000
"""Code points."""

NO_JUDGEMENT: Final[dict[str, None]] = {"disposition": None, "note": None, "reviewed_by": None, "reviewed_at": None}


class Disposition(StrEnum):
    """What an analyst makes of a trigger."""

    TRUE_POSITIVE = "true_positive"
    BENIGN_POSITIVE = "benign_positive"
    FALSE_POSITIVE = "false_positive"
    UNDETERMINED = "undetermined"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody says of triggers. A note of ``None`` leaves what is there, no disposition takes all back."""

    disposition: Disposition | None
    by: str
    note: str | None = None


class Anything:
    """Whatever is there."""


ANYTHING: Final = Anything()


def get_trigger(session: Session, trigger_id: int) -> RuleTrigger:
    """A trigger with its rule and event; raises ``NotFound``."""
    chosen = sa.select(RuleTrigger).options(joinedload(RuleTrigger.rule), joinedload(RuleTrigger.event))
    trigger = session.scalar(chosen.where(RuleTrigger.id == trigger_id)) if trigger_id <= MAX_ID else None
    if trigger is None:
        raise NotFound(f"there is no trigger {trigger_id}")
    return trigger


def judge(
    session: Session, trigger_id: int, judgement: Judgement, *, seen: datetime | Anything | None = ANYTHING
) -> RuleTrigger:
    """Judges one trigger. ``seen`` is when the judgement was made that this one replaces, ``None`` for none.

    Raises:
        NotFound: when there is no such trigger.
        Conflict: when there is another judgement than the one that was seen, saying which.
        InvalidInput: for a note that cannot be kept.
    """
    values = changed_fields(judgement, utc_now())
    trigger = get_trigger(session, trigger_id)
    before = _shown(trigger)
    change = sa.update(RuleTrigger).where(RuleTrigger.id == trigger_id)
    if not isinstance(seen, Anything):
        change = change.where(RuleTrigger.reviewed_at.is_not_distinct_from(seen))
    done = session.connection().execute(change.values(values))
    session.refresh(trigger)
    if not done.rowcount:
        raise Conflict(f"meanwhile {describe(trigger)}: look again before you judge it")
    detail = {"trigger": trigger.id, "event": trigger.event_id, "rule": trigger.rule_id}
    note_when_committed(session, "trigger.judged", {**detail, "before": before, "after": _shown(trigger)})
    return trigger


def describe(trigger: RuleTrigger) -> str:
    """Who judged a trigger as what, and when."""
    if trigger.disposition is None:
        return "its judgement was taken back"
    when = f" at {trigger.reviewed_at:%Y-%m-%d %H:%M:%S} UTC" if trigger.reviewed_at else ""
    return f"{trigger.reviewed_by or 'somebody'} judged it {trigger.disposition.replace('_', ' ')}{when}"


def changed_fields(judgement: Judgement, at: datetime) -> dict[str, Any]:
    """What a judgement changes of a trigger. Raises ``InvalidInput`` for a note that cannot be kept."""
    note = _checked_note(judgement.note)
    if judgement.disposition is None:
        return dict(NO_JUDGEMENT)
    values = {"disposition": judgement.disposition.value, "reviewed_by": judgement.by[:255], "reviewed_at": at}
    return values if note is None else {**values, "note": note or None}


def _checked_note(note: str | None) -> str | None:
    if note is None:
        return None
    note = note.replace("\r\n", "\n").strip()
    if len(note) > MAX_NOTE:
        raise InvalidInput([FieldFault("note", f"has {len(note):,} characters, at most {MAX_NOTE:,} are kept")])
    if UNSTORABLE.search(note):
        raise InvalidInput([FieldFault("note", "has a NUL or a lone surrogate, which no database keeps")])
    return note


def _shown(trigger: RuleTrigger) -> dict[str, Any]:
    return {
        "disposition": trigger.disposition,
        "reviewed_by": trigger.reviewed_by,
        "note": "(not logged)" if trigger.note else None,
    }
