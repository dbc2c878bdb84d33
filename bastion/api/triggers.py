"""Triggers over JSON: found by the search of the list, and judged."""

from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from flask import Blueprint, g
from pydantic import AwareDatetime, BaseModel, Field
from sqlakeyset import BadBookmark, unserialize_bookmark
from sqlalchemy.orm import joinedload

from bastion.api.parsing import Text, body, query
from bastion.errors import FieldFault, InvalidInput
from bastion.extensions import db
from bastion.models import RuleTrigger
from bastion.services.events.as_json import trigger_json
from bastion.services.search.pages import in_order, page_of_keys
from bastion.services.search.selection import bounded_time
from bastion.services.search.timerange import read_range
from bastion.services.search.tokens import parse
from bastion.services.search.trigger_fields import TRIGGERS
from bastion.services.triggers import judging
from bastion.services.triggers.judging import ANYTHING, Disposition, Judgement


class TriggerQuery(BaseModel):
    """The list's search and range. ``page`` is the ``next`` of another answer."""

    q: Text = ""
    range: Text | None = None
    since: Annotated[Text | None, Field(alias="from")] = None
    until: Annotated[Text | None, Field(alias="to")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    page: Text | None = None


class JudgementIn(BaseModel):
    """A judgement; ``replaces`` is the ``reviewed_at`` of the one that it was made on, ``null`` for none."""

    disposition: Disposition | None
    note: Text | None = None
    replaces: AwareDatetime | None = None


def list_triggers() -> dict[str, Any]:
    """Triggers, newest first."""
    asked = query(TriggerQuery)
    session = db.session()
    search = parse(asked.q, TRIGGERS.fields)
    usual = None if asked.since or asked.until else "all"
    period = read_range(asked.range or usual, asked.since, asked.until, UTC).period(datetime.now(UTC))
    if asked.page is not None and not _is_place(asked.page):
        raise InvalidInput([FieldFault("page", "is not a place in this list")])
    with bounded_time(session):
        selection = TRIGGERS.select(session, search)
        page = page_of_keys(session, TRIGGERS, selection, period, bookmark=asked.page, per_page=asked.limit)
        chosen = sa.select(RuleTrigger.id, RuleTrigger).options(joinedload(RuleTrigger.rule))
        rows = session.execute(chosen.where(RuleTrigger.id.in_(page.keys))).all()
    onward = page.next or (page.unfinished.bookmark if page.unfinished else None)
    return {"triggers": [_in_list(row[1]) for row in in_order(page.keys, rows)], "next": onward}


def judge_trigger(trigger_id: int) -> dict[str, Any]:
    """Judges one trigger; without a disposition, its judgement is taken back."""
    asked = body(JudgementIn)
    seen = asked.replaces if "replaces" in asked.model_fields_set else ANYTHING
    said = Judgement(asked.disposition, f"token {g.token.name}", asked.note)
    trigger = judging.judge(db.session(), trigger_id, said, seen=seen)
    db.session.commit()
    return _in_list(trigger)


def _in_list(trigger: RuleTrigger) -> dict[str, Any]:
    return {**trigger_json(trigger), "event_id": trigger.event_id}


def _is_place(bookmark: str) -> bool:
    try:
        place = unserialize_bookmark(bookmark).place
    except (BadBookmark, ValueError, OverflowError, ArithmeticError):
        return False
    return place is not None and [type(value) for value in place] == [datetime, int] and place[0].tzinfo is not None


def add_routes(api: Blueprint) -> None:
    api.get("/triggers")(list_triggers)
    api.post("/triggers/<int:trigger_id>/judgement")(judge_trigger)
