"""What a search selects, in the database, and how far one page looks."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlakeyset import Marker, serialize_bookmark
from sqlalchemy.orm import Session

from bastion.engine import Severity
from bastion.errors import InvalidInput
from bastion.models import Event, Rule, RuleTrigger
from bastion.services.search import pages, selection
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.pages import KeyPage, page_of_keys, why_empty
from bastion.services.search.selection import Listing, bounded_time
from bastion.services.search.timerange import ALWAYS, Period
from bastion.services.search.tokens import parse
from bastion.services.search.trigger_fields import TRIGGERS
from tests.factories import stored_event, stored_rule

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def page(session: Session, listing: Listing, text: str, period: Period = ALWAYS, **more: object) -> KeyPage:
    chosen = listing.select(session, parse(text, listing.fields))
    return page_of_keys(session, listing, chosen, period, **more)  # type: ignore[arg-type]


def names(session: Session, text: str) -> set[str | None]:
    """The prompts of the events that a search selects."""
    keys = page(session, EVENTS, text).keys
    return set(session.scalars(sa.select(Event.prompt).where(Event.id.in_(keys))))


@pytest.fixture
def mixed(session: Session) -> Session:
    """Five events: two that one rule matched, one that another did, and two that none did."""
    override = stored_rule(session, name='Over "ride"', category="injection")
    mail = stored_rule(session, name="Mail", category="pii", severity=Severity.LOW)
    stored_event(session, rules=(override,), prompt="one", source="chat", flow_name="base")
    stored_event(session, rules=(override, mail), prompt="two", source="mail", task_id="T-2")
    stored_event(session, rules=(mail,), prompt="three", status="notify", direction="output")
    stored_event(session, prompt="100% ÄRGER_", source="chat")
    stored_event(session, prompt=None, status="error")
    judged = session.scalars(sa.select(RuleTrigger).where(RuleTrigger.rule_id == override.id)).first()
    assert judged is not None
    judged.disposition, judged.reviewed_by, judged.view = "false_positive", "ada", "base64"
    session.commit()
    return session


EVENT_SEARCHES: tuple[tuple[str, set[str | None]], ...] = (
    ("", {"one", "two", "three", "100% ÄRGER_", None}),
    ("status:block", {"one", "two"}),
    ("status:block status:error", {"one", "two", None}),
    ("!status:block", {"three", "100% ÄRGER_", None}),
    ("flow:base", {"one"}),
    ("source:chat", {"one", "100% ÄRGER_"}),
    ("!source:chat", {"two", "three", None}),
    ('source:""', {"three", None}),
    ('!source:""', {"one", "two", "100% ÄRGER_"}),
    ("direction:output", {"three"}),
    ('rule:"Over \\"ride\\""', {"one", "two"}),
    ("!rule:Mail", {"one", "100% ÄRGER_", None}),
    ("rule:Mail status:block", {"two"}),
    ("category:pii", {"two", "three"}),
    ("!category:pii", {"one", "100% ÄRGER_", None}),
    ("severity:>=medium", {"one", "two"}),
    ("severity:<medium", {"two", "three"}),
    ("severity:high category:pii", set()),
    ("view:base64", {"one"}),
    ("disposition:false_positive", {"one"}),
    ("disposition:unjudged", {"two", "three"}),
    ("!disposition:unjudged", {"one", "100% ÄRGER_", None}),
    ("task:T-2", {"two"}),
    ("t-2", set()),
    ("T-2", {"two"}),
    ("ON", {"one"}),
    ("t w", {"two"}),
    ("!o", {"three", "100% ÄRGER_", None}),
    ("100%", {"100% ÄRGER_"}),
    ("10_%", set()),
    ("ärger_", {"100% ÄRGER_"}),
    ("'; DROP", set()),
)
TRIGGER_SEARCHES = (
    ("", 4),
    ("rule:Mail", 2),
    ("!rule:Mail", 2),
    ("category:injection", 2),
    ("severity:>=high", 2),
    ("action:block", 4),
    ("disposition:unjudged", 3),
    ("!disposition:unjudged", 1),
    ("reviewer:ada", 1),
    ('reviewer:""', 3),
    ("view:base64", 1),
    ("flow:base", 1),
    ("!source:chat", 3),
    ("status:notify", 1),
    ("IGNORE", 4),
    ("nowhere", 0),
)


def test_each_field_selects_what_it_says_and_null_is_a_value(mixed: Session) -> None:
    assert {text: names(mixed, text) for text, _ in EVENT_SEARCHES} == dict(EVENT_SEARCHES)


def test_triggers_by_their_own_fields_and_their_events(mixed: Session) -> None:
    found = {text: len(page(mixed, TRIGGERS, text).keys) for text, _ in TRIGGER_SEARCHES}

    assert found == dict(TRIGGER_SEARCHES)


def test_a_rule_goes_by_name_uuid_and_id_and_one_that_there_is_not_is_an_error(mixed: Session) -> None:
    mail = mixed.scalars(sa.select(Rule).where(Rule.name == "Mail")).one()

    assert names(mixed, f"rule:{mail.uuid}") == names(mixed, f"rule:#{mail.id}") == {"two", "three"}
    with pytest.raises(InvalidInput, match="no rule 'Mial'; close to it: 'Mail'"):
        names(mixed, "rule:Mial")


def test_pages_lead_through_all_rows_and_back(session: Session) -> None:
    for number in range(23):
        stored_event(session, status=("block", "allow")[number % 2], timestamp=NOON + timedelta(seconds=number // 3))
    wanted = list(session.scalars(sa.select(Event.id).order_by(Event.timestamp.desc(), Event.id.desc())))

    for oldest_first in (False, True):
        shown: list[int] = []
        place = None
        while True:
            found = page(session, EVENTS, "", oldest_first=oldest_first, bookmark=place, per_page=5)
            shown += found.keys
            place = found.next
            if place is None:
                break
        assert shown == (wanted[::-1] if oldest_first else wanted)
        back = page(session, EVENTS, "", oldest_first=oldest_first, bookmark=found.previous, per_page=5)
        assert list(back.keys) == shown[-8:-3]


@pytest.mark.parametrize("oldest_first", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_a_page_from_outside_the_range_begins_at_its_edge(
    session: Session, oldest_first: bool, backwards: bool
) -> None:
    """PostgreSQL would read all that lies between."""
    for number in range(20):
        stored_event(session, timestamp=NOON + timedelta(minutes=number))
    period = Period(NOON + timedelta(minutes=10), NOON + timedelta(minutes=15))
    towards_older = oldest_first == backwards
    outside = NOON + timedelta(minutes=18 if towards_older else 2)
    marker = serialize_bookmark(Marker((outside, 19 if towards_older else 3), backwards=backwards))
    sent: list[object] = []
    engine = session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", lambda *given: sent.append(given[3]))

    found = page(session, EVENTS, "", period, oldest_first=oldest_first, bookmark=marker, per_page=3)

    first = [15, 14, 13] if towards_older else [11, 12, 13]
    assert list(found.keys) == (first[::-1] if backwards else first)
    assert sent
    assert outside.strftime("%H:%M:%S") not in str(sent)
    assert repr(outside.minute) not in re.findall(r"datetime\(\d+, \d+, \d+, \d+, (\d+)", str(sent))


def test_a_search_that_finds_little_stops_and_says_where_to_go_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FIRST_LOOK", 2)
    monkeypatch.setattr(pages, "LOOKED_AT", 5)
    monkeypatch.setattr(pages, "FURTHER", 2)
    rule = stored_rule(session)
    for number in range(30):
        rare = number in (1, 3, 27)
        stored_event(
            session,
            rules=(rule,) if rare else (),
            prompt="needle" if rare else "hay",
            status="allow",
            timestamp=NOON + timedelta(seconds=number),
        )

    for oldest_first, wanted in ((False, [28, 4, 2]), (True, [2, 4, 28])):
        found = page(session, EVENTS, "needle", oldest_first=oldest_first)
        seen, asked = list(found.keys), 1
        while found.unfinished:
            assert len(found.keys) < 3
            found = page(session, EVENTS, "needle", oldest_first=oldest_first, bookmark=found.unfinished.bookmark)
            seen += found.keys
            asked += 1
        assert seen == wanted
        assert 3 <= asked <= 5
    # What an index knows needs no second look.
    assert page(session, EVENTS, "rule:#1 status:allow").keys == (28, 4, 2)


def test_the_index_that_reaches_furthest_is_taken(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "FIRST_LOOK", 5)
    monkeypatch.setattr(pages, "LOOKED_AT", 5)
    for number in range(20):
        flow = "rare" if number < 3 else "usual"
        stored_event(session, flow_name=flow, timestamp=NOON + timedelta(seconds=number))

    found = page(session, EVENTS, "status:allow flow:rare")

    assert (found.keys, found.unfinished) == ((3, 2, 1), None)


def test_why_a_list_is_empty(session: Session) -> None:
    period = Period(NOON, NOON + timedelta(hours=1))
    assert why_empty(session, EVENTS, period).newest is None
    stored_event(session, timestamp=NOON - timedelta(days=9))
    nothing = why_empty(session, EVENTS, period)
    assert (nothing.newest, nothing.in_range) == (NOON - timedelta(days=9), False)
    stored_event(session, timestamp=NOON)
    assert why_empty(session, EVENTS, period).in_range


def test_a_query_that_takes_too_long_is_ended_and_the_session_goes_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_SQLITE_STEPS", 10)
    endless = sa.text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT sum(i) FROM n"
    )

    with pytest.raises(InvalidInput, match="narrow the range"), bounded_time(session, 0.05):
        session.execute(endless)

    assert session.scalar(sa.select(1)) == 1
