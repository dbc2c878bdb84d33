"""The overview: its numbers, where they lead, and what it says when there are none."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.services.search import counts
from tests.factories import stored_event, stored_rule
from tests.queries import statements

FRAGMENT = {"X-Fragment": "1"}
HOUR = timedelta(hours=1)


def get(client: FlaskClient, path: str, status: int = 200, **given: dict[str, str]) -> str:
    answer = client.get(path, **given)  # type: ignore[arg-type]
    assert answer.status_code == status, (path, answer.status_code)
    return answer.get_data(as_text=True)


def numbers(page: str) -> list[tuple[str, str]]:
    """Every linked number of the page, and where it leads."""
    found = re.findall(r'<a (?:class="tile-link" )?href="([^"]+)"[^>]*>(.*?)</a>', page, re.DOTALL)
    plain = (
        (html.unescape(link), re.sub(r'<span class="(visually-hidden|figure-name)">.*?</span>', "", text))
        for link, text in found
    )
    stripped = ((link, re.sub(r"<[^>]+>|from ", "", text).strip()) for link, text in plain)
    return [(link, text) for link, text in stripped if re.fullmatch(r"[\d,]+", text)]


def rows_behind(client: FlaskClient, link: str) -> int:
    """The rows of the list: its table comes last, after the one beside the bars."""
    page = get(client, link)
    return page.rpartition("<tbody")[2].split("</tbody>")[0].count("<tr") if 'class="list-rows"' in page else 0


def test_each_number_leads_to_as_many_rows(analyst: FlaskClient, session: Session) -> None:
    now = datetime.now(UTC)
    pii = stored_rule(session, name="Mail <b>address</b>", category='per"sonal', severity=None)
    override = stored_rule(session, name="Override", category=None)
    for hours in (0.5, 3, 30, 40, 200):
        stored_event(session, rules=(pii,), source='chat "room"', timestamp=now - hours * HOUR)
    stored_event(session, rules=(override, pii), source=None, timestamp=now - 2 * HOUR)
    judged = stored_event(session, rules=(override,), timestamp=now - 2 * HOUR)
    judged.triggers[0].disposition = "false_positive"
    stored_event(session, status="error", timestamp=now - 29 * HOUR)
    session.commit()

    for path in ("/?range=24h", "/"):
        page = get(analyst, path)
        found = numbers(page)

        assert len(found) > 15
        assert {(link, text, rows_behind(analyst, link)) for link, text in found} == {
            (link, text, int(text)) for link, text in found
        }
        assert "Mail &lt;b&gt;address&lt;/b&gt;" in page
        assert "100%</a> <span" in page


def test_numbers_stand_beside_those_of_the_period_before(analyst: FlaskClient, session: Session) -> None:
    now = datetime.now(UTC)
    for hours, status in ((1, "block"), (2, "block"), (3, "block"), (30, "block"), (31, "block"), (32, "notify")):
        stored_event(session, status=status, timestamp=now - hours * HOUR)

    page = get(analyst, "/?range=24h")

    parts = [part.split("</div>")[0] for part in page.split('<div class="tile ')[1:]]
    tiles = [" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in parts]
    assert [tile.partition(">")[2].strip().removesuffix(" in the period before") for tile in tiles] == [
        "Events 3 = as before events",
        "Blocked 3 ▲ +50% from 2 blocked",
        "Notified 0 ▼ −100% from 1 notified",
        "Allowed 0 = as before allowed",
        "Errors 0 = as before errors",
    ]
    assert 'class="before" d="M0' in page
    assert "as before" not in get(analyst, "/?range=all")
    assert 'class="before"' not in get(analyst, "/?range=all")


def test_many_numbers_come_after_the_page(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        stored_event(session, rules=(stored_rule(session, name="Busy"),))
    monkeypatch.setattr(counts, "AT_ONCE", 3)

    page = get(analyst, "/?range=24h")

    assert "Busiest rules" not in page
    assert 'id="histogram"' in page
    assert 'data-later="/numbers?range=24h"' in page
    assert '<a href="/numbers?range=24h">' in page
    part = get(analyst, "/numbers?range=24h", headers=FRAGMENT)
    assert "<html" not in part
    assert {'id="histogram"', 'id="facets"'} <= set(re.findall(r'id="\w+"', part))
    whole = get(analyst, "/numbers?range=24h")
    assert "<html" in whole
    assert "Busy" in whole

    monkeypatch.setattr("bastion.services.dashboard.activity.AT_ONCE", 3)
    page = get(analyst, "/?range=24h")
    assert 'id="histogram"' not in page
    assert "histogram-later" in page


def test_an_empty_installation_says_what_to_do(analyst: FlaskClient, admin: FlaskClient, session: Session) -> None:
    page = get(analyst, "/")
    assert "Nothing has been analysed yet" in page
    assert "POST /api/v1/flow/run" in page
    assert "There are no rules" in page
    assert "Ask an admin for an API token" in page
    assert 'href="/try/"' in page

    rule = stored_rule(session)
    assert "1 of " in get(analyst, "/")
    rule.enabled = False
    session.commit()
    assert "none is, so nothing is found" in get(analyst, "/")
    assert "Make an API token" in get(admin, "/")

    stored_event(session, timestamp=datetime.now(UTC) - 48 * HOUR)
    page = get(analyst, "/?range=24h")
    assert "No event in the last 24 hours." in page
    assert "Nothing has been analysed" not in page
    assert "No event in the" not in get(analyst, "/")


def test_a_range_has_one_spelling_and_a_wrong_one_is_named(analyst: FlaskClient, session: Session) -> None:
    stored_event(session)
    answer = analyst.get("/?range=7d&from=&to=")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    answer = analyst.get("/?from=2026-01-01T00:00&to=")
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"from": ["2026-01-01T00:00:00Z"]}
    for query, wanted in (
        ("range=1y", "range wants one of 15m"),
        ("q=x", "q is not a parameter"),
        ("to=x", "to wants"),
    ):
        page = re.sub(r"<[^>]+>", "", html.unescape(get(analyst, f"/?{query}", 422)))
        assert wanted in page.replace(":", "")
    assert get(analyst, "/numbers?range=1y", 422)


@pytest.mark.parametrize("path", ["/?range=all", "/numbers", "/numbers?range=24h"])
def test_questions_are_as_many_for_a_thousand_rows_as_for_ten(
    analyst: FlaskClient, session: Session, engine: sa.Engine, path: str
) -> None:
    rules = [stored_rule(session, category=f"c{place}") for place in range(3)]

    def questions(rows: int) -> int:
        for place in range(rows):
            stored_event(session, rules=(rules[place % 3],), source=f"s{place % 40}")
        with statements(engine) as asked:
            get(analyst, path)
        return len(asked)

    few = questions(10)

    assert questions(1000) == few
