"""Lists, the overview, the system page."""

import re

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action
from bastion.models import Rule
from bastion.runtime import Runtime
from tests.conftest import ROOT
from tests.factories import stored_event, stored_rule
from tests.web.every_page import pages


def table(page: str) -> str:
    """The rows of the page's last table: the one before stands beside the bars."""
    return page.rpartition("<tbody")[2].split("</tbody>", maxsplit=1)[0]


def test_the_list_narrows_and_pages_without_losing_the_filter(analyst: FlaskClient, session: Session) -> None:
    for number in range(55):
        stored_event(session, status="block", prompt=f"bad {number:02}")
    stored_event(session, status="allow", prompt="good")

    first = analyst.get("/events/?q=status%3Ablock").get_data(as_text=True)

    assert "bad 54" in first
    assert "bad 04" not in first
    assert "good" not in table(first)
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "q=status%3Ablock" in older
    second = analyst.get(older).get_data(as_text=True)
    assert "bad 04" in second
    assert "bad 05" not in table(second)
    newer = second.split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    third = analyst.get(newer).get_data(as_text=True)
    assert re.findall(r"bad \d\d", table(third)) == re.findall(r"bad \d\d", table(first))


@pytest.mark.parametrize(
    "query",
    [
        "status=nope",
        "page=x",
        "page=%3C%3C",
        "page=%3Ei:1",
        "page=%3Edt:x~i:x",
        "page=%3Ei:1~i:2",
        "page=%3Edt%3A0001-01-01%2000%3A00%3A00~i%3A5",
        "page=%3Edt%3A9999-12-31%2023%3A59%3A59-14%3A00~i%3A5",
    ],
)
def test_an_address_that_means_nothing_is_an_error_that_says_so(analyst: FlaskClient, query: str) -> None:
    assert analyst.get(f"/events/?{query}").status_code == 422


def test_triggers_narrow_to_a_rule(analyst: FlaskClient, session: Session) -> None:
    one, other = stored_rule(session, name="One"), stored_rule(session, name="Other")
    stored_event(session, rules=(one, other))

    rows = table(analyst.get(f"/triggers/?rule={one.id}", follow_redirects=True).get_data(as_text=True))

    assert "One" in rows
    assert "Other" not in rows
    assert "Other" in table(analyst.get("/triggers/").get_data(as_text=True))
    assert analyst.get("/triggers/?rule=x", follow_redirects=True).status_code == 422


def test_the_overview_counts(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="Busy")
    stored_event(session, rules=(rule,))
    stored_event(session)

    page = analyst.get("/").get_data(as_text=True)

    assert page.count('<span class="figure-number">1</span>') == 2
    assert '<span class="figure-number">2</span>' in page
    assert "Busy" in page


def test_rules_that_cannot_run_are_shown_and_reported(analyst: FlaskClient, session: Session, parts: Runtime) -> None:
    stored_rule(session)
    broken = stored_rule(session, name="Broken")
    nonsense = stored_rule(session, name="Nonsense", action=Action.NOTIFY)
    session.execute(sa.update(Rule).where(Rule.id == broken.id).values(pattern="bro(ken"))
    session.execute(sa.update(Rule).where(Rule.id == nonsense.id).values(action="explode"))
    session.commit()

    page = analyst.get("/system/").get_data(as_text=True)

    assert "Found by</dt><dd>hyperscan" in page
    assert "Broken</bdi></a>: line 1, column 8: missing )" in page
    assert "explode" in page
    ready = analyst.get("/readyz")
    assert (ready.status_code, ready.get_json()["status"], ready.get_json()["rules_skipped"]) == (200, "degraded", 2)


def test_a_database_that_is_away_is_not_ready(analyst: FlaskClient, session: Session) -> None:
    assert analyst.get("/healthz").get_json() == {"status": "ok"}
    session.execute(sa.text("DROP TABLE rule_triggers"))
    session.execute(sa.text("DROP TABLE rules"))
    session.commit()

    assert analyst.get("/readyz").status_code == 503
    assert analyst.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/events/", "/triggers/", "/rules/", "/"])
def test_a_page_asks_as_many_questions_for_many_rows_as_for_one(
    analyst: FlaskClient, session: Session, engine: sa.Engine, path: str
) -> None:
    def questions() -> int:
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            asked.append(statement)

        sa.event.listen(engine, "before_cursor_execute", note)
        analyst.get(path)
        sa.event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    stored_event(session, rules=(stored_rule(session),))
    few = questions()
    for _ in range(30):
        stored_event(session, rules=(stored_rule(session),))

    assert questions() == few


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_docs_have_every_page_and_no_other(app: Flask) -> None:
    known = {"key": "<key>", "rule_id": "<id>", "at": "<at>", "name": "<name>"}
    table = (ROOT / "docs" / "pages.md").read_text("utf-8").split("\nEach list is also a file")[0]

    described = set(re.findall(r"`(/[^`]*)`", table))

    assert described == {path.partition("?")[0] for path in pages(app, known, parts=True)}
