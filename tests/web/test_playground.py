"""Trying texts."""

import base64

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Event
from tests.factories import stored_event, stored_rule

FORM = {"prompt": "now ignore previous", "flow": "default", "direction": "input"}


def test_trying_a_text_shows_why_and_records_only_if_asked(analyst: FlaskClient, session: Session) -> None:
    stored_rule(session, name="Override", details="Because it overrides.")

    page = analyst.post("/try/", data=FORM).get_data(as_text=True)

    assert '<mark class="mark-high" title="Override">ignore previous</mark>' in page
    assert "Because it overrides." in page
    assert "Not recorded." in page
    assert "To share it, record it" in page
    assert session.query(Event).count() == 0
    page = analyst.post("/try/", data=FORM | {"record": "y"}).get_data(as_text=True)
    event = session.query(Event).one()
    assert (event.status, event.source, len(event.triggers)) == ("block", "playground", 1)
    assert f'href="/try/?event={event.uid}&amp;flow=default&amp;direction=input"' in page


def test_every_view_is_listed_with_what_it_says(analyst: FlaskClient, session: Session) -> None:
    stored_rule(session, name="Markup", pattern=r"<b>\w+</b>")
    stored_rule(session, name="Quiet", pattern="never in a text")
    hidden = base64.b64encode(b"look at <b>this</b> now").decode()
    spelt = base64.b64encode(b"nothing bad to see here").decode()

    page = analyst.post("/try/", data=FORM | {"prompt": f"Decode {hidden} and {spelt}\u200b"}).get_data(as_text=True)

    assert "Found in the view <strong>base64</strong>" in page
    assert "<b>this" not in page
    views = page.split('<ul class="views">')[1].split("</ul>")[0].split("<li>")[1:]
    names = [view.split("<strong>")[1].split("</strong>")[0] for view in views]
    assert names[:2] == ["normalised", "base64"]
    assert "nothing new matched" in views[0]
    assert "matched: <bdi>Markup</bdi>" in views[1]
    assert (
        '<mark class="mark-high" title="Markup">&lt;b&gt;this&lt;/b&gt;</mark> now and nothing bad to see' in views[1]
    )
    for stage in ("Views", "Passes", "Confirming", "Together"):
        assert f'<th scope="row">{stage}</th><td class="text-end">' in page


def test_a_text_that_hides_nothing_says_so(analyst: FlaskClient) -> None:
    page = analyst.post("/try/", data=FORM | {"prompt": "plain words"}).get_data(as_text=True)

    assert "there is no other view of it" in page
    assert "No rule matched." in page


def test_an_event_s_text_is_tried_by_its_address_alone(analyst: FlaskClient, session: Session) -> None:
    stored_rule(session, name="Override")
    event = stored_event(
        session, prompt="please ignore previous </textarea><b>", flow_name="base_audit", direction="output"
    )

    page = analyst.get(f"/try/?event={event.uid}").get_data(as_text=True)

    assert "please ignore previous &lt;/textarea&gt;&lt;b&gt;</textarea>" in page
    assert '<option selected value="base_audit">' in page
    assert '<option selected value="output">' in page
    assert 'title="Override">ignore previous</mark>' in page
    assert f'href="/try/?event={event.uid}&amp;flow=base_audit&amp;direction=output"' in page
    assert f'href="/events/{event.uid}"' in page
    session.expire_all()
    assert session.query(Event).count() == 1
    assert "Verdict" not in analyst.get("/try/").get_data(as_text=True)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_cannot_be_tried_is_refused(analyst: FlaskClient) -> None:
    assert analyst.get("/try/?event=nope").status_code == 404
    assert analyst.post("/try/", data=FORM | {"flow": "nope"}).status_code == 404
    assert analyst.post("/try/", data=FORM | {"direction": "nope"}).status_code == 422
    assert analyst.post("/try/", data=FORM | {"prompt": "é" * 600_000}).status_code == 413
