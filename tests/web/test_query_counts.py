"""A page asks the database no more often with 10,000 rows than with 10."""

from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from bastion.runtime import Runtime
from bastion.services.search import counts
from tests.queries import statements
from tests.web.every_page import pages

FEW = 10
MANY = 10_000

STATUSES = ("block", "notify", "allow", "error")
SOURCES = ("chat", "mail", None)
DISPOSITIONS = ("true_positive", None, "false_positive")
CHOOSING = 4
"""Queries by which a search chooses its index: of few rows, the first that it looks at will do."""

BATCHES = {"/triggers/judge": 8}
"""Pages that count in batches, and how many more queries those are at most: this one counts to 10,000."""

SEARCHED = (
    "/events/?q=status%3Ablock+words&range=all",
    "/events/?q=rule%3A%231&range=all",
    "/events/?q=category%3Apii+severity%3A%3E%3Dhigh&range=all&sort=oldest",
    "/events/facets?q=source%3Achat&range=all",
    "/triggers/?q=disposition%3Aunjudged+rule%3A%231&range=all",
    "/triggers/facets?q=category%3Apii&range=all",
    "/rules/?q=status%3Adraft+category%3Apii&sort=-triggers",
    "/?range=all",
    "/numbers?range=all",
)


def store(engine: sa.Engine, first: int, last: int) -> None:
    """Rules, events and triggers of those numbers; half of the triggers are of the first rule."""
    now = datetime.now(UTC)
    numbers = range(first, last + 1)
    statuses, sources, dispositions = cycle(STATUSES), cycle(SOURCES), cycle(DISPOSITIONS)
    with Session(engine) as session:
        session.execute(
            sa.insert(Rule),
            [
                {
                    "id": number,
                    "uuid": f"rule-{number}",
                    "name": f"Rule {number}",
                    "details": "",
                    "pattern": "x",
                    "language": "llm-regex-pattern",
                    "action": "block",
                    "enabled": False,
                    "severity": "high",
                    "category": "pii" if number % 2 else "injection",
                }
                for number in numbers
            ],
        )
        session.execute(
            sa.insert(Event),
            [
                {
                    "id": number,
                    "uid": f"event-{number}",
                    "prompt": "some words",
                    "status": next(statuses),
                    "flow_name": "default",
                    "source": next(sources),
                    "duration_us": 50,
                    "prompt_sha256": "a" * 64,
                    "timestamp": now - timedelta(seconds=number),
                }
                for number in numbers
            ],
        )
        session.execute(
            sa.insert(RuleTrigger),
            [
                {
                    "id": number,
                    "event_id": number,
                    "rule_id": 1 if number % 2 else number,
                    "severity": "high",
                    "pipeline_name": "rule",
                    "action": "block",
                    "view": "raw",
                    "spans": [[0, 4]],
                    "matched_text": "some",
                    "disposition": next(dispositions),
                    "timestamp": now - timedelta(seconds=number),
                }
                for number in numbers
            ],
        )
        session.commit()


def test_more_rows_make_no_more_queries(
    app: Flask, parts: Runtime, admin: FlaskClient, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few rows are counted with the page, many after it: here both are counted with it.
    monkeypatch.setattr(counts, "AT_ONCE", 10 * MANY)
    # What looks for changed rules beside the requests would be counted with them.
    parts.firewall.rules.current()
    parts.firewall.rules.stop()
    store(engine, 1, FEW)
    known = {"key": "event-1", "rule_id": "1", "at": "2026-11-23T08:00:00+00:00", "name": "admin"}
    every = [*pages(app, known, parts=True), *SEARCHED]
    few = {path: asked(admin, engine, path) for path in every}
    store(engine, FEW + 1, MANY)

    now = {path: asked(admin, engine, path) for path in every}
    allowed = {**BATCHES, **dict.fromkeys(SEARCHED, CHOOSING)}
    assert not {path: (few[path], now[path]) for path in every if now[path] > few[path] + allowed.get(path, 0)}
    assert max(few.values()) < 40


def asked(client: FlaskClient, engine: sa.Engine, path: str) -> int:
    """How many statements a page takes."""
    with statements(engine) as seen:
        answer = client.get(path)
    # To who is logged in, the page for logging in answers with the way on.
    assert answer.status_code == (302 if path == "/login" else 200), path
    return len(seen)
