"""Rules searched, sorted and paged."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from bastion.engine import Action, Severity, Views
from bastion.errors import InvalidInput
from bastion.models import RuleTrigger
from bastion.services.rules.listing import PER_PAGE, exported_rules, facets, page_of_rules, selected_ids
from bastion.services.rules.stored_rules import archive_rule
from bastion.services.search.rules import FIELDS
from bastion.services.search.tokens import parse
from tests.factories import stored_event, stored_rule


@pytest.fixture
def rules(session: Session) -> Session:
    """Six rules that differ in everything; b has matched now, and c two weeks ago."""
    stored_rule(session, name="a", enabled=False, severity=None, category=None, tags=(), pattern="needle")
    b = stored_rule(
        session, name="B", action=Action.NOTIFY, severity=Severity.LOW, category="pii", tags=("LLM01:2025",)
    )
    c = stored_rule(session, name="c", severity=Severity.CRITICAL, category="pii", tags=("x", "LLM01:2025", "50%_off"))
    stored_rule(session, name="d", category="injection", author="ada", views=Views.RAW, tags=("LLM01:20250",))
    stored_rule(session, name="e", details="a Needle in here", enabled=False, action=Action.NOTIFY)
    archive_rule(session, stored_rule(session, name="gone", category="pii"))
    stored_event(session, rules=(b,))
    stored_event(session, rules=(c, c))
    session.execute(
        sa.update(RuleTrigger)
        .where(RuleTrigger.rule_id == c.id)
        .values(timestamp=datetime.now(UTC) - timedelta(days=14), disposition="true_positive")
    )
    session.execute(sa.update(RuleTrigger).where(RuleTrigger.rule_id == b.id).values(disposition="false_positive"))
    session.commit()
    return session


def names(session: Session, text: str, sort: str = "name", number: int = 1) -> list[str]:
    page = page_of_rules(session, parse(text, FIELDS), sort, number, datetime.now(UTC))
    assert page.total == len(page.rules)
    return [listed.rule.name for listed in page.rules]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "aBcde"),
        ("status:enforce", "cd"),
        ("status:draft", "ae"),
        ("status:>=monitor", "Bcd"),
        ("!status:draft", "Bcd"),
        ("severity:>=high", "cde"),
        ("severity:none", "a"),
        ("severity:low severity:critical", "Bc"),
        ("category:pii", "Bc"),
        ('category:""', "a"),
        ("!category:pii", "ade"),
        ("tag:llm01:2025", "Bc"),
        ("!tag:LLM01:2025", "ade"),
        ("tag:50%_off", "c"),
        ("tag:50__off", ""),
        ('tag:""', "ae"),
        ("author:ada", "d"),
        ('author:""', "aBce"),
        ("views:raw", "d"),
        ("triggered:24h", "B"),
        ("triggered:30d", "Bc"),
        ("!triggered:24h", "acde"),
        ("needle", "ae"),
        ("!needle", "Bcd"),
        ("needle status:draft !action", "ae"),
        ("is:archived", ["gone"]),
        ("!is:archived", "aBcde"),
        ("is:archived category:injection", ""),
    ],
)
def test_tokens_select(rules: Session, text: str, found: str | list[str]) -> None:
    assert names(rules, text) == list(found)


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("name", "aBcde"),
        ("-name", "edcBa"),
        ("-triggers", "Bacde"),
        ("triggers", "acdeB"),
        ("-precision", "cBade"),
        ("precision", "Bcade"),
        ("-last", "Bcade"),
        ("last", "cBade"),
    ],
)
def test_lists_are_sorted_and_what_has_no_value_comes_last(rules: Session, sort: str, found: str) -> None:
    assert names(rules, "", sort) == list(found)


def test_the_last_change_sorts(rules: Session) -> None:
    rules.execute(sa.text("UPDATE rules SET updated_at = :then WHERE name = 'c'"), {"then": "2020-01-01 00:00:00"})

    assert names(rules, "", "updated")[0] == "c"
    assert names(rules, "", "-updated")[-1] == "c"


@pytest.mark.parametrize("text", ["status:on", "staus:draft", "tag:>x", "is:gone", "triggered:1d"])
def test_a_wrong_token_says_what_there_is(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text, FIELDS)


def test_facets_count_what_is_selected(rules: Session) -> None:
    found = facets(rules, parse("!severity:none", FIELDS), datetime.now(UTC))

    assert found["status"] == [("draft", 1), ("monitor", 1), ("enforce", 2)]
    assert dict(found["category"]) == {"pii": 2, "injection": 2}
    assert dict(found["tag"]) == {"LLM01:2025": 2, "x": 1, "50%_off": 1, "LLM01:20250": 1}


def test_pages_hold_fifty_and_the_last_is_the_last(session: Session) -> None:
    for number in range(PER_PAGE + 1):
        stored_rule(session, name=f"{number:02}")
    now = datetime.now(UTC)

    first, second, beyond = (page_of_rules(session, (), "name", number, now) for number in (1, 2, 99))

    assert [len(page.rules) for page in (first, second, beyond)] == [PER_PAGE, 1, 1]
    assert (second.rules[0].rule.name, second.pages, beyond.number, first.total) == ("50", 2, 2, 51)


def test_the_export_and_the_ids_are_all_that_is_selected(session: Session, engine: sa.Engine) -> None:
    wanted = [stored_rule(session, name=f"{number:02}", category="pii") for number in range(PER_PAGE + 1)]
    stored_rule(session, category="other")
    search, now = parse("category:pii", FIELDS), datetime.now(UTC)

    exported = list(exported_rules(engine, search, "-name", now))
    assert [one.rule.name for one in exported] == [f"{number:02}" for number in range(PER_PAGE, -1, -1)]
    assert {one.rule.pattern for one in exported} == {wanted[0].pattern}
    assert selected_ids(session, search, now) == [rule.id for rule in wanted]


def test_the_number_of_queries_does_not_grow_with_the_rules(session: Session) -> None:
    def queries() -> int:
        seen: list[str] = []
        note = lambda *given: seen.append(given[2])  # noqa: E731
        event.listen(session.get_bind(), "before_cursor_execute", note)
        page_of_rules(session, (), "-precision", 1, datetime.now(UTC))
        facets(session, (), datetime.now(UTC))
        event.remove(session.get_bind(), "before_cursor_execute", note)
        return len(seen)

    stored_rule(session)
    few = queries()
    for _ in range(PER_PAGE + 5):
        stored_rule(session)

    assert queries() == few
