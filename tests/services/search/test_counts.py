"""Histograms and facets hold exactly what the list holds."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from bastion.services.search import counts, facets
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.selection import Listing
from bastion.services.search.timerange import Period
from bastion.services.search.tokens import parse
from bastion.services.search.trigger_fields import TRIGGERS
from tests.factories import stored_event, stored_rule

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = Period(NOON, NOON + timedelta(hours=1))


@pytest.fixture
def busy(session: Session) -> Session:
    one = stored_rule(session, name="One", category="pii")
    two = stored_rule(session, name="Two", category="pii", severity=None)
    for minute in range(0, 60, 5):
        stored_event(session, timestamp=NOON + timedelta(minutes=minute), source="chat")
    stored_event(session, rules=(one, two), timestamp=NOON + timedelta(minutes=5, seconds=30))
    stored_event(session, rules=(two,), timestamp=NOON + timedelta(minutes=30), status="strange", flow_name="base")
    stored_event(session, rules=(one,), timestamp=NOON - timedelta(minutes=1))
    stored_event(session, rules=(one,), timestamp=NOON + timedelta(minutes=60))
    return session


def chart(session: Session, listing: Listing, text: str, period: Period = HOUR) -> counts.Histogram:
    chosen = listing.select(session, parse(text, listing.fields))
    return counts.histogram(session, listing, chosen, period, UTC)


BARS: tuple[tuple[str, dict[str, int]], ...] = (
    ("", {"allow": 12, "block": 1}),
    ("status:block", {"block": 1}),
    ("status:block status:allow", {"allow": 12, "block": 1}),
    ("!source:chat", {"block": 1, "other": 1}),
    ("rule:Two", {"block": 1, "other": 1}),
    ("flow:nowhere", {}),
)


def test_bars_by_index_and_by_row_count_what_is_in_the_range(busy: Session) -> None:
    for text, wanted in BARS:
        found = chart(busy, EVENTS, text)
        totals = [sum(bucket.counts[place] for bucket in found.buckets) for place in range(len(found.parts))]
        assert {part: total for part, total in zip(found.parts, totals, strict=True) if total} == wanted, text
        assert (len(found.buckets), found.counted_from) == (60, None)
        assert found.buckets[5].start == NOON + timedelta(minutes=5)


def test_bars_of_triggers_and_of_all_time(busy: Session) -> None:
    assert chart(busy, TRIGGERS, "").total == 3
    whole = chart(busy, EVENTS, "", Period())
    assert whole.total == 15
    assert whole.buckets[0].start <= NOON - timedelta(minutes=1)


def test_what_is_too_much_to_count_is_said(busy: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "COUNTED", 3)
    monkeypatch.setattr(facets, "COUNTED", 3)
    chosen = EVENTS.select(busy, parse("!source:x", EVENTS.fields))

    found = counts.histogram(busy, EVENTS, chosen, HOUR, UTC)

    assert found.counted_from == NOON + timedelta(minutes=40)
    assert found.total == 4
    assert facets.event_facets(busy, chosen, HOUR).counted_from == found.counted_from
    assert not counts.is_quick(busy, chosen, HOUR) or counts.AT_ONCE > 14


def test_facets_count_events_once_and_name_rules(busy: Session) -> None:
    chosen = EVENTS.select(busy, ())

    found = facets.event_facets(busy, chosen, HOUR).fields

    def pairs(name: str) -> list[tuple[str, int]]:
        return [(one.label or one.value, one.count) for one in found[name]]

    assert pairs("status") == [("allow", 12), ("block", 1), ("strange", 1)]
    assert pairs("source") == [("chat", 12), ("", 2)]
    assert pairs("flow") == [("default", 13), ("base", 1)]
    assert pairs("category") == [("pii", 2)]
    assert pairs("rule") == [("Two", 2), ("One", 1)]
    assert pairs("severity") == [("none", 2), ("high", 1)]


def test_facets_of_triggers(busy: Session) -> None:
    found = facets.trigger_facets(busy, TRIGGERS.select(busy, ()), HOUR).fields

    assert {name: [(one.value, one.count) for one in values] for name, values in found.items()} == {
        "disposition": [("unjudged", 3)],
        "severity": [("none", 2), ("high", 1)],
        "action": [("block", 3)],
        "category": [("pii", 3)],
        "rule": [("#2", 2), ("#1", 1)],
        "flow": [("default", 2), ("base", 1)],
        "source": [("", 3)],
    }
