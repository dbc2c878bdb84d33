"""The first page's numbers, each beside rows that it must leave out."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from bastion.services.dashboard import activity as activities
from bastion.services.dashboard import triggers
from bastion.services.dashboard.activity import activity, period_before
from bastion.services.dashboard.latency import NEWEST, latency, percentile
from bastion.services.dashboard.triggers import busy_rules, crossing, waiting
from bastion.services.search.timerange import ALWAYS, Period
from tests.factories import stored_event, stored_rule

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = Period(NOW - 24 * HOUR, NOW)


def test_events_are_counted_by_status_beside_the_period_before(session: Session) -> None:
    for hours, status in ((1, "block"), (2, "block"), (23, "allow"), (24, "error"), (25, "block"), (48, "allow")):
        stored_event(session, timestamp=NOW - hours * HOUR, status=status)
    stored_event(session, timestamp=NOW, status="block")
    stored_event(session, timestamp=NOW - 49 * HOUR, status="block")

    found = activity(session, DAY, NOW, UTC)

    assert found.totals == {"block": 2, "error": 1, "notify": 0, "allow": 1}
    assert found.totals_before == {"block": 1, "error": 0, "notify": 0, "allow": 1}
    assert found.period_before == Period(NOW - 48 * HOUR, NOW - 24 * HOUR)
    assert found.before is not None
    assert len(found.before) == len(found.buckets)
    by_hour = {bucket.start: bucket.total for bucket in found.buckets if bucket.total}
    assert by_hour == {NOW - hours * HOUR: 1 for hours in (1, 2, 23, 24)}
    # A bar and the one of the period before are a period apart.
    assert {old.start - new.start for new, old in zip(found.buckets, found.before, strict=True)} == {-24 * HOUR}
    assert found.counted_from is None


def test_bars_begin_and_end_with_the_period(session: Session) -> None:
    period = Period(NOW - timedelta(hours=23, minutes=47), NOW - timedelta(minutes=13))
    stored_event(session, timestamp=period.since - timedelta(seconds=1))  # type: ignore[operator]
    stored_event(session, timestamp=period.since)

    found = activity(session, period, NOW, UTC)

    assert (found.buckets[0].start, found.buckets[-1].end) == (period.since, period.until)
    assert (found.totals["allow"], found.totals_before) == (1, {"block": 0, "error": 0, "notify": 0, "allow": 1})


def test_all_time_has_nothing_before(session: Session) -> None:
    stored_event(session, timestamp=NOW - 9000 * HOUR, status="notify")
    stored_event(session, timestamp=NOW, status="notify")

    found = activity(session, ALWAYS, NOW, UTC)

    assert period_before(ALWAYS, NOW) is None
    assert (found.totals["notify"], found.before, found.totals_before) == (2, None, None)


def test_what_cannot_be_counted_whole_is_not_compared(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (1, 2, 3, 30):
        stored_event(session, timestamp=NOW - hours * HOUR)
    assert activities.is_quick(session, DAY, NOW)
    monkeypatch.setattr(activities, "AT_ONCE", 3)
    monkeypatch.setattr(activities, "COUNTED_BY_INDEX", 2)

    found = activity(session, DAY, NOW, UTC)

    assert not activities.is_quick(session, DAY, NOW)
    assert found.counted_from == NOW - 3 * HOUR
    assert (found.totals["allow"], found.before) == (3, None)


def test_the_busiest_rules_come_first_with_how_they_were_judged(session: Session) -> None:
    busy, quiet, silent = (stored_rule(session, name=name) for name in ("Busy", "Quiet", "Silent"))
    dispositions = ("false_positive", "true_positive", "benign_positive", "undetermined", None)
    for place, disposition in enumerate(dispositions):
        event = stored_event(session, rules=(busy,), timestamp=NOW - HOUR * (place + 1))
        event.triggers[0].disposition = disposition
    stored_event(session, rules=(quiet,), timestamp=NOW - HOUR)
    stored_event(session, rules=(quiet, silent), timestamp=NOW - 30 * HOUR)
    session.commit()

    found = busy_rules(session, DAY)

    assert [(rule.name, rule.triggers, rule.wrong, rule.judged.judged) for rule in found.rules] == [
        ("Busy", 5, 1, 3),
        ("Quiet", 1, 0, 0),
    ]
    assert found.counted_from is None


def test_what_waits_is_sorted_by_age_and_severity(session: Session) -> None:
    high, unset = stored_rule(session), stored_rule(session, severity=None)
    odd = stored_rule(session)
    ages = (timedelta(minutes=5), 2 * HOUR, 25 * HOUR, 24 * 8 * HOUR)
    for count, ago in enumerate(ages, start=1):
        for _ in range(count):
            stored_event(session, rules=(high,), timestamp=NOW - ago)
    stored_event(session, rules=(unset,), timestamp=NOW - HOUR)
    judged = stored_event(session, rules=(high, odd), timestamp=NOW - HOUR)
    judged.triggers[0].disposition = "undetermined"
    judged.triggers[1].severity = "dire"
    session.commit()

    found = waiting(session, NOW)

    counts = dict(found.rows)
    assert list(counts) == ["critical", "high", "medium", "low", "informational", "none", "other"]
    assert counts["high"] == (1, 2, 3, 4)
    assert counts["none"] == (1, 0, 0, 0)
    assert counts["other"] == (1, 0, 0, 0)
    assert found.total == 12
    assert found.ages[0].period == Period(NOW - HOUR, None)
    assert found.ages[3].period == Period(None, NOW - 24 * 7 * HOUR)


def test_only_the_newest_triggers_are_looked_at(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = stored_rule(session, category="pii")
    for hours in range(1, 6):
        stored_event(session, rules=(rule,), timestamp=NOW - hours * HOUR)
    monkeypatch.setattr(triggers, "LOOKED_AT", 2)
    monkeypatch.setattr(triggers, "WAITING", 2)
    monkeypatch.setattr(triggers, "BY_INDEX", 3)

    waits = waiting(session, NOW)
    assert (waits.total, waits.counted_from) == (3, NOW - 3 * HOUR)
    assert [waits.is_partial(age) for age in waits.ages] == [False, True, True, True]
    assert (crossing(session, DAY).total, crossing(session, DAY).counted_from) == (3, NOW - 3 * HOUR)
    assert (busy_rules(session, DAY).rules[0].triggers, busy_rules(session, DAY).counted_from) == (4, NOW - 4 * HOUR)


def test_categories_cross_sources_and_the_smallest_are_left_out(session: Session) -> None:
    for place in range(triggers.CATEGORIES + 1):
        rule = stored_rule(session, category=f"c{place}")
        for _ in range(2 if place else 1):
            stored_event(session, rules=(rule,), timestamp=NOW - HOUR, source="chat")
    unnamed = stored_rule(session, category=None)
    for place in range(triggers.SOURCES):
        for _ in range(3):
            stored_event(session, rules=(unnamed,), timestamp=NOW - HOUR, source=f"s{place}" if place else None)
    stored_event(session, rules=(unnamed,), timestamp=NOW - 25 * HOUR, source="too old")

    found = crossing(session, DAY)

    assert found.categories == ("", *(f"c{place}" for place in range(1, triggers.CATEGORIES)))
    assert found.sources == ("chat", "", *(f"s{place}" for place in range(1, triggers.SOURCES - 1)))
    assert (found.counts["", "s1"], found.counts["c1", "chat"], found.highest) == (3, 2, 3)
    assert found.total == 2 * triggers.CATEGORIES + 1 + 3 * triggers.SOURCES
    assert found.beyond == found.total - 2 * (triggers.CATEGORIES - 1) - 3 * (triggers.SOURCES - 1)
    assert crossing(session, Period(None, NOW - 30 * HOUR)).total == 0


def test_scan_times_are_those_of_the_newest_events_that_have_one(session: Session) -> None:
    for microseconds in range(1, 101):
        stored_event(session, timestamp=NOW - HOUR, duration_us=microseconds)
    stored_event(session, timestamp=NOW - HOUR, duration_us=None)
    stored_event(session, timestamp=NOW - 25 * HOUR, duration_us=10**9)

    found = latency(session, DAY)

    assert found is not None
    assert (found.measured, found.p50, found.p95, found.longest, found.bounded) == (100, 50, 95, 100, False)
    assert NEWEST > 100
    assert latency(session, Period(NOW, None)) is None


@pytest.mark.parametrize(("values", "percent", "wanted"), [([7], 50, 7), ([1, 2], 50, 1), ([1, 2], 95, 2)])
def test_a_percentile_is_one_of_the_values(values: list[int], percent: int, wanted: int) -> None:
    assert percentile(values, percent) == wanted
