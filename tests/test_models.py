"""Columns that are stored otherwise than they are read."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Event
from tests.factories import stored_event


@pytest.mark.parametrize(
    "value", ["true", "[1]", '"quoted"', "not JSON", "", "\u2028", ["1", {"a": None}], {}, 0, False]
)
def test_json_comes_back_as_it_was_given(session: Session, value: Any) -> None:
    """A text that looks like JSON is a text: on PostgreSQL the driver has parsed the column already."""
    event_id = stored_event(session, context=value).id
    session.expire_all()

    assert session.get_one(Event, event_id).context == value
    assert session.scalar(sa.select(Event.context).where(Event.id == event_id)) == value
