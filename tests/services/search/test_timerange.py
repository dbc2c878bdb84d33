"""Ranges and their buckets."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import InvalidInput
from bastion.services.search.timerange import (
    MAX_BUCKETS,
    PRESETS,
    Period,
    TimeRange,
    buckets,
    read_range,
    read_time,
    write_time,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_presets_end_now_and_have_no_upper_bound() -> None:
    assert read_range("24h", None, "", UTC).period(NOON) == Period(NOON - timedelta(days=1))
    assert read_range(None, None, None, UTC).period(NOON) == Period(NOON - timedelta(days=7))
    assert read_range("all", "", "", UTC).period(NOON) == Period()


def test_times_are_local_unless_they_say_otherwise() -> None:
    given_range = read_range(None, "2026-11-22T13:00", "2026-11-22T14:00+00:00", BERLIN)

    assert given_range == TimeRange(None, Period(NOON, NOON + timedelta(hours=2)))
    assert write_time(NOON) == "2026-11-22T12:00:00Z"
    assert read_time(write_time(NOON + timedelta(microseconds=5)), BERLIN) == NOON + timedelta(microseconds=5)


@pytest.mark.parametrize(
    ("preset", "since", "until", "field"),
    [
        ("2d", None, None, "range"),
        ("24h", "2026-01-01", None, "range"),
        (None, "yesterday", None, "from"),
        (None, None, "0001-01-01T00:00", "to"),
        (None, "9999-12-31T23:59-12:00", None, "from"),
        (None, "2026-01-02", "2026-01-01", "to"),
    ],
)
def test_a_wrong_range_is_named(preset: str | None, since: str | None, until: str | None, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_range(preset, since, until, UTC)

    assert [fault.field for fault in caught.value.faults] == [field]


@given(
    st.integers(0, 130 * 365 * 86400),
    st.timedeltas(timedelta(seconds=1), timedelta(days=36_500)),
    st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")]),
)
def test_buckets_cover_the_range_without_gaps(seconds: int, length: timedelta, zone: ZoneInfo) -> None:
    start = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    found = buckets(start, start + length, zone)

    assert found[0][0] <= start
    assert found[-1][0] < start + length <= found[-1][1]
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert len(found) <= MAX_BUCKETS + 2


@pytest.mark.parametrize("preset", [name for name, length in PRESETS.items() if length])
def test_a_preset_has_enough_bars_of_a_round_width(preset: str) -> None:
    found = buckets(NOON - PRESETS[preset], NOON, UTC)  # type: ignore[operator]

    assert 35 <= len(found) <= 61
    assert (found[0][0] - datetime(1970, 1, 1, tzinfo=UTC)) % (found[0][1] - found[0][0]) in (
        timedelta(0),
        timedelta(days=1),
    )


def test_days_begin_at_local_midnight_whatever_the_clock_does() -> None:
    found = buckets(datetime(2026, 9, 20, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC), BERLIN)

    starts = [start.astimezone(BERLIN) for start, _ in found]
    assert {(start.hour, start.minute) for start in starts} == {(0, 0)}
    assert len({start.utcoffset() for start in starts}) == 2
