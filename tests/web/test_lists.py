"""The lists' pages: state in the address, links that change one thing, counts, live rows, zones."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Event
from bastion.services.search import counts
from bastion.services.search.timerange import write_time
from tests.factories import stored_event, stored_rule
from tests.queries import statements

FRAGMENT = {"X-Fragment": "1"}


def links(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="([^"]+)"', page)]


def rows(page: str) -> str:
    return page.split("<tbody id=")[1].split("</tbody>", maxsplit=1)[0] if "<tbody id=" in page else ""


def searched(link: str) -> str:
    return parse_qs(urlsplit(link).query).get("q", [""])[0]


def get(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.get_data(as_text=True)


def test_values_lead_to_only_this_and_not_this(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name='A <b>"rule"</b>')
    stored_event(session, rules=(rule,), source="chat room")

    page = get(analyst, "/events/?q=flow%3Adefault")

    found = {searched(link) for link in links(rows(page))}
    assert {
        "flow:default status:block",
        "flow:default !status:block",
        'flow:default source:"chat room"',
        'flow:default !source:"chat room"',
        f"flow:default rule:#{rule.id}",
        "flow:default",
        "!flow:default",
    } <= found
    assert "A &lt;b&gt;&#34;rule&#34;&lt;/b&gt;" in page
    for query in found:
        get(analyst, f"/events/?{urlencode({'q': query})}")


def test_chips_stand_for_tokens_and_can_be_removed_turned_and_cleared(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="Override")
    stored_event(session, rules=(rule,), source="chat")

    page = get(analyst, f"/events/?q=status%3Ablock+rule%3A%23{rule.id}&range=30d")

    chips = page.split('class="chips"')[1].split("</ul>")[0]
    assert "<bdi>Override</bdi>" in chips
    assert [(searched(link), "range=30d" in link) for link in links(chips)] == [
        (f"!status:block rule:#{rule.id}", True),
        (f"rule:#{rule.id}", True),
        (f"status:block !rule:#{rule.id}", True),
        ("status:block", True),
        ("", True),
    ]


def test_an_address_has_one_spelling_and_old_ones_lead_to_it(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    stored_event(session, rules=(rule,))
    for given, wanted in (
        ("/events/?status=block&flow_name=a+b", "/events/?q=status%3Ablock+flow%3A%22a+b%22"),
        ("/events/?q=+Status:BLOCK&range=&from=&to=", "/events/?q=status%3Ablock"),
        ("/events/?range=7d&sort=newest", "/events/"),
        ("/events/?from=2026-11-22T12:00&sort=oldest", "/events/?from=2026-11-22T12%3A00%3A00Z&sort=oldest"),
        (f"/triggers/?rule={rule.id}", f"/triggers/?q=rule%3A%23{rule.id}"),
    ):
        answer = analyst.get(given)
        assert (answer.status_code, answer.headers["Location"]) == (302, wanted)
        get(analyst, wanted)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("q=stats:block", "there is no field &#39;stats&#39;"),
        ("q=rule:nope", "there is no rule &#39;nope&#39;"),
        ("range=2d", "range: wants one of 15m"),
        ("from=soon", "from: wants a time"),
        ("sort=up", "sort: wants newest or oldest"),
        ("stauts=block", "stauts: is not a parameter here"),
        ("q=a&q=b", "is given twice"),
        ("status=nope", "status is never &#39;nope&#39;"),
    ],
)
@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_is_wrong_is_said_beside_the_search_and_nothing_is_listed(
    analyst: FlaskClient, session: Session, query: str, wanted: str
) -> None:
    stored_event(session, prompt="a row that must not show")

    page = get(analyst, f"/events/?{query}", 422)

    assert wanted in page
    assert 'aria-invalid="true"' in page
    assert "a row that must not show" not in page
    assert analyst.get(f"/events/facets?{query}").status_code == 422
    assert analyst.get(f"/events/export.csv?{query}").status_code == 422


def test_the_three_kinds_of_empty(analyst: FlaskClient, session: Session) -> None:
    assert "Nothing has been analysed yet" in get(analyst, "/events/")
    assert "No rule has triggered yet" in get(analyst, "/triggers/")
    stored_event(session, timestamp=datetime.now(UTC) - timedelta(days=20))
    page = get(analyst, "/events/?q=status%3Aallow")
    assert "No event in the last 7 days." in page
    assert "/events/?q=status%3Aallow&range=all" in links(page)
    page = get(analyst, "/events/?q=status%3Ablock&range=30d")
    assert "No event of the last 30 days matches." in page
    assert "/events/?range=30d" in links(page)


def test_bars_narrow_the_range_and_stand_in_a_table(analyst: FlaskClient, session: Session) -> None:
    now = datetime.now(UTC)
    stored_event(session, prompt="old", timestamp=now - timedelta(days=3))
    stored_event(session, prompt="new", timestamp=now - timedelta(minutes=1), status="block")

    page = get(analyst, "/events/")

    figure = page.split("<figure")[1].split("</figure>")[0]
    assert ">block 1</span>" in figure
    assert figure.count("<tr>") == 3
    first, second = links(figure)
    assert ["old" in get(analyst, first), "new" in rows(get(analyst, first))] == [True, False]
    assert ["old" in rows(get(analyst, second)), "new" in rows(get(analyst, second))] == [False, True]
    assert "style=" not in page


def test_counts_come_as_a_part_and_as_a_page(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = stored_rule(session, name="Override")
    stored_event(session, rules=(rule,), source="chat")
    monkeypatch.setattr(counts, "AT_ONCE", 0)

    page = get(analyst, "/events/?q=status%3Ablock")

    assert "<figure" not in page
    (address,) = re.findall(r'data-later="([^"]+)"', page)
    part = analyst.get(html.unescape(address), headers=FRAGMENT).get_data(as_text=True)
    assert "<html" not in part
    assert "<figure" in part
    assert "status:block source:chat" in {searched(link) for link in links(part)}
    whole = get(analyst, html.unescape(address))
    assert "<html" in whole
    assert "Override" in whole
    triggers = get(analyst, "/triggers/facets?q=severity%3Ahigh")
    assert "severity:high disposition:unjudged" in {searched(link) for link in links(triggers)}


def test_long_texts_are_cut_by_the_database(analyst: FlaskClient, session: Session, engine: sa.Engine) -> None:
    event = stored_event(session, rules=(stored_rule(session),), prompt="x" * 5000)
    event.triggers[0].matched_text = "y" * 5000
    session.commit()

    for path, letter, column in (
        ("/", "x", "prompt"),
        ("/events/", "x", "prompt"),
        ("/triggers/", "y", "matched_text"),
    ):
        with statements(engine) as seen:
            page = get(analyst, path)
        assert letter * 50 in page
        assert letter * 1000 not in page
        assert any(f".{column}, " in one for one in seen)
        assert not any(re.search(rf"(?<!substr\()\b\w+\.{column}\b", one) for one in seen), path


def test_counts_of_too_many_rows_say_that_there_are_more(
    analyst: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in range(6):
        stored_event(session, source="chat", timestamp=datetime.now(UTC) - timedelta(seconds=seconds))
    assert ">6</span>" in get(analyst, "/events/facets?q=source%3Achat")
    monkeypatch.setattr("bastion.services.search.facets.COUNTED", 3)

    page = get(analyst, "/events/facets?q=source%3Achat")

    assert ">6</span>" not in page
    assert re.search(r">[34]\+</span>", page)
    assert "Counted since" in page


def test_new_events_come_as_rows_within_the_filter(analyst: FlaskClient, session: Session) -> None:
    page = get(analyst, "/events/?q=status%3Ablock")
    address = html.unescape(re.findall(r'data-newer="([^"]+)"', page)[0])
    after = re.findall(r'data-after="([^"]+)"', page)[0]
    stored_event(session, prompt="fresh", status="block")
    stored_event(session, prompt="other", status="allow")
    stored_event(session, prompt="long ago", status="block", timestamp=datetime.now(UTC) - timedelta(hours=1))

    part = get(analyst, f"{address}&after={after}")

    assert "fresh" in part
    assert "other" not in part
    assert "long ago" not in part
    assert analyst.get(f"{address}&after=soon").status_code == 422
    assert "data-newer" not in get(analyst, f"/events/?to={write_time(datetime.now(UTC))}".replace(":", "%3A"))


def test_a_pasted_uid_or_task_leads_to_its_events_whatever_the_range(analyst: FlaskClient, session: Session) -> None:
    event = stored_event(session, task_id="job-7", timestamp=datetime.now(UTC) - timedelta(days=60))

    assert f"/events/{event.uid}" in links(get(analyst, f"/events/?q={event.uid}"))
    assert "/events/?q=job-7+task%3Ajob-7" in links(get(analyst, "/events/?q=job-7"))


def test_times_are_in_the_readers_zone_with_utc_beside(analyst: FlaskClient, session: Session) -> None:
    event = stored_event(session, timestamp=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    assert "2026-07-01 22:30:00 UTC" in get(analyst, f"/events/{event.uid}")

    answer = analyst.post("/zone", data={"chosen": "named", "name": "Europe/Berlin", "next": "/events/?range=all"})

    assert answer.headers["Location"] == "/events/?range=all"
    page = get(analyst, "/events/?range=all")
    assert 'title="2026-07-01 22:30:00.000 UTC">2026-07-02 00:30:00</time>' in page
    assert ">Europe/Berlin</a>" in page
    answer = analyst.get("/events/?from=2026-07-02T00:30&to=2026-07-02T00:31")
    assert answer.headers["Location"].endswith("from=2026-07-01T22%3A30%3A00Z&to=2026-07-01T22%3A31%3A00Z")
    analyst.post("/zone", data={"chosen": "browser", "browser": "Asia/Tokyo"})
    assert "2026-07-02 07:30:00 JST" in get(analyst, f"/events/{event.uid}")


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    "form", [{"chosen": "named", "name": "../etc/passwd"}, {"chosen": "browser", "browser": ""}, {"chosen": "named"}]
)
def test_a_zone_that_there_is_not_is_refused(analyst: FlaskClient, form: dict[str, str]) -> None:
    assert analyst.post("/zone", data=form).status_code == 422
    analyst.set_cookie("zone", "Mars/Olympus")
    assert ">UTC</a>" in get(analyst, "/events/")


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "x", ""])
def test_the_choice_of_a_zone_leads_nowhere_else(analyst: FlaskClient, target: str) -> None:
    assert analyst.post("/zone", data={"chosen": "UTC", "next": target}).headers["Location"] == "/"


PAGES = (
    *(
        "/events/",
        "/events/?q=status%3Ablock",
        "/events/?q=rule%3A%231+ignore",
        "/events/?q=%21source%3Achat&sort=oldest",
    ),
    *("/triggers/", "/triggers/?q=severity%3A%3E%3Dhigh", "/events/facets", "/triggers/facets", "/events/export.json"),
)


def test_every_page_asks_as_often_for_few_rows_as_for_many(
    analyst: FlaskClient, session: Session, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, other = stored_rule(session), stored_rule(session)

    def asked() -> list[int]:
        found = []
        for path in PAGES:
            with statements(engine) as seen:
                get(analyst, path)
            found.append(len(seen))
        return found

    for _ in range(2):
        stored_event(session, rules=(rule, other))
    asked()
    few = asked()
    now = datetime.now(UTC)
    events = [
        {
            "status": "block",
            "flow_name": f"f{number % 7}",
            "prompt": "ignore",
            "timestamp": now - timedelta(seconds=number),
        }
        for number in range(400)
    ]
    session.execute(sa.insert(Event), events)
    for _ in range(60):
        stored_event(session, rules=(rule, other))

    assert asked() == few
