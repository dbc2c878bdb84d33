"""The page of a rule's next step, when there is much to look at."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action
from tests.factories import stored_event, stored_rule

FRAGMENT = {"X-Fragment": "1"}


def test_what_a_step_would_change_comes_after_the_page_where_it_takes_long(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = stored_rule(session, enabled=False, action=Action.NOTIFY)
    for _ in range(3):
        stored_event(session)
    path = f"/rules/{rule.id}/rollout?to=monitor"
    assert "It matches <strong>3 events</strong> of 3" in analyst.get(path).get_data(as_text=True)
    monkeypatch.setattr("bastion.web.rules.rollout.AT_ONCE", 2)

    page = analyst.get(path).get_data(as_text=True)

    assert "It matches" not in page
    assert f'data-later="{path}"' in page
    assert ">Monitor</button>" in page
    part = analyst.get(path, headers=FRAGMENT).get_data(as_text=True)
    assert "<html" not in part
    assert "<form" not in part
    assert '<section id="effect">' in part
    assert "It matches <strong>3 events</strong> of 3" in part
    assert f'href="{path}&amp;effect=1"' in page
    whole = analyst.get(f"{path}&effect=1").get_data(as_text=True)
    assert "It matches <strong>3 events</strong> of 3" in whole
    assert ">Monitor</button>" in whole
