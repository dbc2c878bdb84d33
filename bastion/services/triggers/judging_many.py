"""One judgement for all triggers that a search selects, and taking it back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.errors import Conflict, InvalidInput
from bastion.models import RuleTrigger, utc_now
from bastion.services.audit.changes import note_when_committed
from bastion.services.search.pages import page_of_keys
from bastion.services.search.selection import Selection, Window, bounded_time, find_window
from bastion.services.search.timerange import Period
from bastion.services.search.trigger_fields import TRIGGERS
from bastion.services.triggers.judging import NO_JUDGEMENT, Disposition, Judgement, changed_fields

BATCH: Final = 1_000
"""Triggers that one transaction judges."""

MAX_AT_ONCE: Final = 10_000
"""Triggers that one judgement of many reaches."""

LOOKED_AT: Final = 5_000
"""Triggers that are looked at between two looks at the clock, while they are only counted."""

COUNT_SECONDS: Final = 2
"""The longest that so many are looked at."""

UNDO_WITHIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Selected:
    """Triggers that a search selects: up to ``newest``, as seen at ``at``, whatever comes later."""

    selection: Selection
    period: Period
    newest: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """How many triggers a judgement would reach, and how many of them are judged already.

    ``more`` says that there are more of them; not ``sure`` that there was no time to count on.
    """

    total: int
    judged: int
    more: bool
    sure: bool


def select_now(session: Session, selection: Selection, period: Period) -> Selected:
    """All that a search selects at this moment, and nothing that comes later."""
    newest = session.scalar(sa.select(sa.func.max(RuleTrigger.id))) or 0
    return Selected(selection, period, newest, utc_now())


def count(session: Session, selected: Selected, *, until: datetime) -> Counted:
    """Counts up to ``MAX_AT_ONCE``, and up to that time."""
    total = judged = 0
    left = selected.period
    while utc_now() < until:
        try:
            with bounded_time(session, COUNT_SECONDS):
                window = find_window(session, selected.selection, left, LOOKED_AT)
                found, judged_there, beyond = _count_within(session, selected, window, MAX_AT_ONCE - total)
        except InvalidInput:
            break
        total, judged = total + found, judged + judged_there
        if beyond or window.complete:
            return Counted(total, judged, beyond, sure=True)
        # Rows at the edge's time were in this window.
        left = Period(left.since, window.period.since)
    return Counted(total, judged, more=True, sure=False)


def _count_within(session: Session, selected: Selected, window: Window, most: int) -> tuple[int, int, bool]:
    """Of the newest selected triggers in the window, how many there are, how many are judged, and if there are more."""
    where = (*selected.selection.where(window.driver, window.period), RuleTrigger.id <= selected.newest)
    chosen = sa.select(RuleTrigger.disposition).where(*where)
    chosen = chosen.order_by(RuleTrigger.timestamp.desc(), RuleTrigger.id.desc())
    row = chosen.limit(most).subquery()
    total, judged = session.execute(sa.select(sa.func.count(), sa.func.count(row.c.disposition)).select_from(row)).one()
    return total, judged, total == most and bool(session.scalar(sa.select(chosen.offset(most).limit(1).exists())))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a judgement of many has come: what was judged, what was left as it was, and where to go on.

    ``left`` were judged before and not to be replaced, ``meanwhile`` by somebody else since the search was seen.
    """

    judged: int = 0
    replaced: int = 0
    left: int = 0
    meanwhile: int = 0
    bookmark: str | None = None
    finished: bool = False

    @property
    def reached(self) -> int:
        return self.judged + self.left + self.meanwhile


def judge_batch(
    session: Session,
    selected: Selected,
    judgement: Judgement,
    made_at: datetime,
    progress: Progress,
    *,
    replace_judged: bool,
) -> Progress:
    """Judges the next triggers after where ``progress`` is, to be committed by the caller.

    All batches are said to be done at ``made_at``, by which they can be undone; what had been judged before, a
    microsecond later: that is not undone. Raises ``InvalidInput`` for a note that cannot be kept.
    """
    values = changed_fields(judgement, made_at)
    keys, bookmark = _batch(session, selected, progress.bookmark, MAX_AT_ONCE - progress.reached)
    batch = sa.update(RuleTrigger).where(RuleTrigger.id.in_(keys))
    unjudged = batch.where(RuleTrigger.disposition.is_(None))
    fresh = session.connection().execute(unjudged.values(values)).rowcount
    replaced = 0
    if replace_judged:
        before = sa.or_(RuleTrigger.reviewed_at.is_(None), RuleTrigger.reviewed_at <= selected.at)
        judged = batch.where(RuleTrigger.disposition.is_not(None), before)
        later = {**values, "reviewed_at": made_at + timedelta(microseconds=1)}
        replaced = session.connection().execute(judged.values(later)).rowcount
    if fresh or replaced:
        said = {"disposition": values["disposition"], "made_at": made_at, "triggers": fresh + replaced}
        note_when_committed(session, "triggers.judged", {**said, "replaced": replaced})
    meanwhile = _judged_meanwhile(session, keys, selected.at, made_at)
    return replace(
        progress,
        judged=progress.judged + fresh + replaced,
        replaced=progress.replaced + replaced,
        left=progress.left + max(0, len(keys) - fresh - replaced - meanwhile),
        meanwhile=progress.meanwhile + meanwhile,
        bookmark=bookmark,
        finished=bookmark is None or progress.reached + len(keys) >= MAX_AT_ONCE,
    )


def count_made_at(session: Session, by: str, made_at: datetime) -> tuple[int, Disposition | None, str | None]:
    """How many triggers one judgement of many still holds for, and what it says."""
    made = (RuleTrigger.reviewed_at == made_at, RuleTrigger.reviewed_by == by)
    found = session.scalar(sa.select(sa.func.count()).select_from(RuleTrigger).where(*made)) or 0
    one = session.execute(sa.select(RuleTrigger.disposition, RuleTrigger.note).where(*made).limit(1)).one_or_none()
    known = one is not None and one.disposition in list(Disposition)
    return found, Disposition(one.disposition) if one and known else None, one.note if one else None


def undo_batch(session: Session, by: str, made_at: datetime) -> int:
    """Takes back some of what ``by`` judged at that moment, to be committed by the caller; 0 when there is no more.

    What has been judged anew since then stays. Raises ``Conflict`` when it is too late.
    """
    if utc_now() - made_at > UNDO_WITHIN:
        raise Conflict("a judgement of many can be undone within an hour; judge them anew instead")
    made = (RuleTrigger.reviewed_at == made_at, RuleTrigger.reviewed_by == by)
    # As a subquery of the update, PostgreSQL would look for the batch anew for every row: 50 s for 10,000.
    keys = session.scalars(sa.select(RuleTrigger.id).where(*made).limit(BATCH)).all()
    change = sa.update(RuleTrigger).where(RuleTrigger.id.in_(keys), *made)
    taken_back = session.connection().execute(change.values(NO_JUDGEMENT)).rowcount
    if taken_back:
        note_when_committed(session, "triggers.unjudged", {"made_at": made_at, "triggers": taken_back})
    return taken_back


def _batch(
    session: Session, selected: Selected, bookmark: str | None, most: int = MAX_AT_ONCE
) -> tuple[tuple[int, ...], str | None]:
    """The next triggers of a selection, none perhaps, and where to go on."""
    where = selected.selection.where
    chosen = replace(
        selected.selection,
        where=lambda driver, period: [*where(driver, period), RuleTrigger.id <= selected.newest],
        plain=False,
    )
    page = page_of_keys(
        session, TRIGGERS, chosen, selected.period, bookmark=bookmark, per_page=max(1, min(BATCH, most))
    )
    return page.keys, page.next or (page.unfinished.bookmark if page.unfinished else None)


def _judged_meanwhile(session: Session, keys: Sequence[int], seen_at: datetime, made_at: datetime) -> int:
    others = (RuleTrigger.reviewed_at > seen_at, RuleTrigger.reviewed_at < made_at)
    after = RuleTrigger.reviewed_at > made_at + timedelta(microseconds=1)
    chosen = sa.select(sa.func.count()).select_from(RuleTrigger)
    return session.scalar(chosen.where(RuleTrigger.id.in_(keys), sa.or_(sa.and_(*others), after))) or 0
