"""Exports through the front door: the same rows as the page, whole, and stopped where it says."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.factories import stored_event, stored_rule

LONG = "=HYPERLINK(" + "x" * 3000


def test_the_three_files_hold_the_rows_of_the_page(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="+Rule")
    stored_event(session, rules=(rule,), prompt=LONG, source="-chat")
    stored_event(session, prompt="other", status="allow")
    stored_event(session, rules=(rule,), prompt="too old", timestamp=datetime.now(UTC) - timedelta(days=9))
    query = "?q=status%3Ablock"

    for path, noun, text in (("/events/export", "events", "prompt"), ("/triggers/export", "triggers", "event_uid")):
        answer = analyst.get(f"{path}.csv{query}")
        assert answer.headers["Content-Disposition"] == f"attachment; filename=bastion-{noun}.csv"
        head, *lines = csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline=""))
        body = json.loads(analyst.get(f"{path}.json{query}").get_data())
        (record,) = body[noun]
        (line,) = lines
        assert body["truncated"] is False
        assert list(record) == head
        assert [json.loads(one) for one in analyst.get(f"{path}.jsonl{query}").get_data().splitlines()] == [record]
        assert dict(zip(head, line, strict=True))[text].removeprefix("'") == record[text]
        assert dict(zip(head, line, strict=True))["source"] == "'-chat"
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line)
    assert analyst.get(f"/events/export.json{query}").get_json()["events"][0]["rules"] == ["+Rule"]


def test_a_limit_is_said_and_a_wrong_one_refused(analyst: FlaskClient, session: Session) -> None:
    for _ in range(3):
        stored_event(session)

    assert json.loads(analyst.get("/events/export.json?limit=2").get_data())["truncated"] is True
    assert json.loads(analyst.get("/events/export.json?limit=3").get_data())["truncated"] is False
    assert b"Cut at 2 events" in analyst.get("/events/export.csv?limit=2").get_data()
    for limit in ("0", "-1", "x", "1000001", "٣"):
        assert analyst.get(f"/events/export.csv?limit={limit}").status_code == 422
    assert analyst.get("/events/export.xls").status_code == 404
