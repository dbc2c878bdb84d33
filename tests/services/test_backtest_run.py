"""A backtest in steps whose state travels with the page."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from bastion.engine import ExceptionKind, RuleSpec
from bastion.errors import InvalidInput
from bastion.runtime import Runtime
from bastion.services.rules import backtest_run
from bastion.services.rules.backtest import Backtest, Pair
from bastion.services.rules.backtest_run import Run, begin, go_on, read_run
from bastion.services.rules.exceptions import new_exception
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.timerange import Period
from bastion.services.search.tokens import parse
from tests.factories import rule_spec, stored_event, stored_rule

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)


def store(session: Session, *texts: str | None, **given: object) -> list[int]:
    return [
        stored_event(session, prompt=text, timestamp=NOON + timedelta(hours=hour), **given).id
        for hour, text in enumerate(texts)
    ]


def run(
    session: Session,
    parts: Runtime,
    draft: RuleSpec,
    saved: RuleSpec | None = None,
    q: str = "",
    period: Period = Period(NOON - timedelta(hours=1), None),  # noqa: B008
    rows: int = 3,
    window: int = 4,
) -> list[Run]:
    """All steps, each read from what the one before has written."""
    search = parse(q, EVENTS.fields)
    test = Backtest([Pair(draft, saved)], parts.trying)
    runs = [begin(session, search, period, NOW, UTC)]
    while runs[-1].goes_on:
        runs.append(go_on(session, test, search, read_run(runs[-1].model_dump_json()), rows=rows, window=window))
        assert len(runs) < 50
    return runs


@pytest.mark.parametrize(("rows", "window"), [(1, 1), (1, 100), (2, 3), (3, 2), (100, 1), (100, 100)])
def test_steps_of_any_size_find_the_same(session: Session, parts: Runtime, rows: int, window: int) -> None:
    ids = store(session, "alpha", "beta", "alpha beta", "gamma", None, "alpha")
    same_time = [stored_event(session, prompt="beta", timestamp=NOON).id for _ in range(5)]
    rule = stored_rule(session, pattern="alpha")

    *_, last = run(session, parts, rule_spec(uuid=rule.uuid, pattern="beta"), rule.spec, rows=rows, window=window)

    assert last.changes == (6, 2, 1)
    assert (last.looked_at, last.total, last.untestable, last.matched) == (11, 11, 1, 7)
    assert {one.id for one in last.found} == {*ids, *same_time} - {ids[3], ids[4]}
    assert last.chart.total == 9
    assert last.chart.buckets[0].start <= NOON
    assert (last.goes_on, last.is_stopped, last.seconds_left) == (False, False, None)


def test_a_filter_and_a_range_bound_it(session: Session, parts: Runtime) -> None:
    store(session, "beta", "beta", "beta", "beta", source="chat")
    store(session, "beta", "beta", source="mail")
    draft = rule_spec(pattern="beta")

    by_source = run(session, parts, draft, q="source:mail")[-1]
    by_text = run(session, parts, draft, q="gamma")[-1]
    by_time = run(session, parts, draft, period=Period(NOON + timedelta(hours=1), NOON + timedelta(hours=3)))[-1]

    assert (by_source.looked_at, by_source.changes) == (2, (2, 0, 0))
    assert (by_text.looked_at, by_text.total, by_text.changes) == (0, 0, (0, 0, 0))
    assert by_time.looked_at == 3


def test_what_is_stored_meanwhile_is_not_in_it(session: Session, parts: Runtime) -> None:
    store(session, "beta", "beta", "beta", "beta")
    test = Backtest([Pair(rule_spec(pattern="beta"))], parts.trying)
    first = go_on(session, test, (), begin(session, (), Period(), NOW, UTC), rows=2)
    stored_event(session, prompt="beta", timestamp=NOW + timedelta(seconds=1))

    last = go_on(session, test, (), go_on(session, test, (), first, rows=2), rows=2)

    assert (first.looked_at, last.looked_at, last.total) == (2, 4, 4)
    assert first.seconds_left is not None
    assert go_on(session, test, (), last) is last


def test_without_events_there_is_nothing(session: Session, parts: Runtime) -> None:
    *_, last = run(session, parts, rule_spec(), period=Period())

    assert (last.looked_at, last.total, last.goes_on) == (0, 0, False)


def test_exceptions_hold_in_it(session: Session, parts: Runtime) -> None:
    store(session, "beta one", "beta two", source="chat")
    store(session, "beta one", source="mail")
    one = new_exception(ExceptionKind.SOURCE, "chat", "ours", None, None)
    other = new_exception(ExceptionKind.REGEX, "beta one", "ours", None, None)
    rule = stored_rule(session, pattern="beta")

    *_, last = run(session, parts, rule_spec(uuid=rule.uuid, pattern="beta", exceptions=(one,)), rule.spec)
    *_, regex = run(session, parts, rule_spec(uuid=rule.uuid, pattern="beta", exceptions=(other,)), rule.spec)

    assert last.changes == (0, 2, 1)
    assert regex.changes == (0, 2, 1)


def test_it_is_bounded_in_rows_and_time(session: Session, parts: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    store(session, *["beta"] * 5)
    begun = begin(session, (), Period(), NOW, UTC)

    assert begun.model_copy(update={"seconds": backtest_run.MAX_SECONDS}).is_stopped
    monkeypatch.setattr(backtest_run, "MAX_TOTAL", 2)
    *_, last = run(session, parts, rule_spec(pattern="beta"), rows=2)
    assert (last.looked_at, last.is_stopped, last.goes_on) == (2, True, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cursor": "here"},
        {"cursor": "2026-11-20T12:00:00_1"},
        {"looked_at": -1},
        {"looked_at": 10**9},
        {"changes": [1, 2]},
        {"changes": ["a", "b", "c"]},
        {"until": "2026-11-20T12:00:00"},
        {"edges": []},
        {"edges": ["2026-11-20T12:00:00Z"] * 99},
        {"by_time": {"99": [1, 1, 1]}},
        {"found": [{"id": 1}]},
        {"seconds": 1e9},
        {"more": 1},
    ],
)
def test_what_no_step_has_left_is_refused(session: Session, wrong: dict[str, object]) -> None:
    written = json.loads(begin(session, (), Period(), NOW, UTC).model_dump_json())

    assert read_run(json.dumps(written))
    with pytest.raises(InvalidInput):
        read_run(json.dumps(written | wrong))
    with pytest.raises(InvalidInput):
        read_run("{")
