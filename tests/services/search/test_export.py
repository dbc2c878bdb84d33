"""Exports: every row once, in order, and no cell that runs."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.services.search import export
from bastion.services.search.event_fields import EVENTS
from bastion.services.search.export import FORMATS, defused, selected_keys, up_to
from bastion.services.search.timerange import Period
from bastion.services.search.tokens import parse
from tests.factories import stored_event

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", " \n=1", "\t=1", "\tx", "\rx", "\u200b=1", "\ufeff \u200e=1", "\xa0@x"),
        *("＝1", "＋1", "－1", "＠x", "﹢1", "\u202e\t x", "\x0b=1", "\x00=1"),
    ],
)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    found = defused(text)

    assert found.startswith(("'", "\\u0000"))
    assert found.lstrip("'").replace("\\u0000", "\x00") == text


@pytest.mark.parametrize("text", ["", "plain", "1=1", "a@b", "'quoted", "\u200bplain", " x", "\n\n"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert defused(text) == text


def test_what_utf8_cannot_carry_is_spelt_out() -> None:
    assert defused("a\0b\ud800") == "a\\u0000b\\ud800"


def test_batches_hold_every_row_once_in_order(
    session: Session, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 3)
    for number in range(20):
        stored_event(session, prompt=f"{number % 2}", timestamp=NOON + timedelta(seconds=number // 4))
    stored_event(session, prompt="0", timestamp=NOON - timedelta(days=1))
    stored_event(session, prompt="0", timestamp=NOON + timedelta(days=1))
    chosen = EVENTS.select(session, parse('"0"', EVENTS.fields))
    period = Period(NOON, NOON + timedelta(hours=1))

    wanted = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    for looked_at in (1, 4, 1000):
        monkeypatch.setattr(export, "LOOKED_AT", looked_at)
        for oldest_first in (False, True):
            batches = list(selected_keys(engine, EVENTS, chosen, period, oldest_first=oldest_first))
            assert [key for batch in batches for key in batch] == (wanted if oldest_first else wanted[::-1])
            assert max(map(len, batches)) <= 3


RECORDS = [{"id": 1, "text": "=1"}, {"id": 2, "text": 'a "b",\nc é'}, {"id": 3, "text": None}]


def written(suffix: str, limit: int) -> str:
    return "".join(FORMATS[suffix].write(up_to(limit, RECORDS), ("id", "text"), "event", limit))


def test_csv_reads_back_and_says_when_it_is_cut() -> None:
    text = written("csv", 3)
    assert text.startswith("\ufeffid,text\r\n")
    assert list(csv.reader(io.StringIO(text[1:], newline="")))[1:] == [["1", "'=1"], ["2", 'a "b",\nc é'], ["3", ""]]
    assert list(csv.reader(io.StringIO(written("csv", 2), newline="")))[-1] == [
        "Cut at 2 events: there are more. Narrow the search or the range."
    ]


def test_json_and_json_lines_read_back_and_say_when_they_are_cut() -> None:
    assert json.loads(written("json", 3)) == {"events": RECORDS, "truncated": False}
    assert json.loads(written("json", 1)) == {"events": RECORDS[:1], "truncated": True}
    assert [json.loads(line) for line in written("jsonl", 3).splitlines()] == RECORDS
    assert json.loads(written("jsonl", 2).splitlines()[-1])["truncated"] is True
