"""Two people who edit one rule at once."""

import re

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action, Severity
from bastion.models import Rule
from bastion.services.rules.stored_rules import update_rule
from tests.factories import stored_rule
from tests.web.test_rules import FORM

BEGUN = FORM | {"version": "1", "name": "Base", "pattern": "base", "tags": "a", "views": "all", "enabled": "y"}


def begun(session: Session) -> Rule:
    content = {"name": "Base", "details": FORM["details"], "pattern": "base", "action": Action.NOTIFY}
    return stored_rule(session, **content, severity=Severity.LOW, category="noise", author="ada", tags=("a",))


def row(page: str, field: str) -> str:
    found = re.search(rf'<tr data-field="{field}">.*?</tr>', page, re.DOTALL)
    return found[0] if found else ""


def value_of(page: str, name: str) -> str:
    box, line = (
        rf'<textarea[^>]* name="{name}"[^>]*>\s*(.*?)</textarea>',
        rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"',
    )
    found = re.search(f"{box}|{line}", page, re.DOTALL)
    assert found
    return (found[1] or found[2]).replace("\r\n", "\n")


def test_what_both_changed_is_asked_and_the_rest_is_merged(analyst: FlaskClient, session: Session) -> None:
    rule = begun(session)
    update_rule(session, rule, {"name": "Theirs", "tags": ("a", "b")}, actor="bob", why="the reason")
    session.commit()

    answer = analyst.post(f"/rules/{rule.id}/edit", data=BEGUN | {"name": "Mine", "pattern": "mine"})

    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "bob saved version 2" in page
    assert "the reason" in page
    assert [text in row(page, "name") for text in ("Base", "Theirs", "Mine")] == [True] * 3
    assert row(page, "pattern") == row(page, "tags") == ""
    assert "Pattern (yours), Tags (theirs)" in page
    assert (value_of(page, "name"), value_of(page, "pattern"), value_of(page, "tags")) == ("Mine", "mine", "a\nb")
    assert 'name="version" type="hidden" value="2"' in page
    session.expire_all()
    assert (rule.name, rule.version) == ("Theirs", 2)


def test_the_choice_decides_and_saving_goes_on_from_theirs(analyst: FlaskClient, session: Session) -> None:
    rule = begun(session)
    update_rule(session, rule, {"name": "Theirs", "details": "Theirs."})
    session.commit()
    mine = BEGUN | {"version": "2", "name": "Mine", "details": "Mine."}

    analyst.post(f"/rules/{rule.id}/edit", data=mine | {"choice-name": "theirs", "choice-details": "mine"})

    session.expire_all()
    assert (rule.name, rule.details, rule.version) == ("Theirs", "Mine.", 3)


def test_a_choice_is_not_made_on_a_version_that_nobody_saw(analyst: FlaskClient, session: Session) -> None:
    rule = begun(session)
    update_rule(session, rule, {"name": "Theirs"})
    update_rule(session, rule, {"name": "Theirs again"})
    session.commit()

    answer = analyst.post(
        f"/rules/{rule.id}/edit", data=BEGUN | {"version": "2", "name": "Mine", "choice-name": "theirs"}
    )

    assert answer.status_code == 409
    assert "Theirs again" in row(answer.get_data(as_text=True), "name")
    assert 'value="3"' in answer.get_data(as_text=True)


def test_a_base_that_is_not_kept_makes_every_difference_a_question(analyst: FlaskClient, session: Session) -> None:
    rule = begun(session)
    update_rule(session, rule, {"name": "Theirs"})
    rule.history = None
    session.commit()

    page = analyst.post(f"/rules/{rule.id}/edit", data=BEGUN | {"pattern": "mine"}).get_data(as_text=True)

    assert "is not kept" in page
    assert row(page, "name")
    assert row(page, "pattern")


def test_a_switch_that_both_see_differently_is_merged(analyst: FlaskClient, session: Session) -> None:
    rule = begun(session)
    update_rule(session, rule, {"enabled": False})
    session.commit()

    page = analyst.post(f"/rules/{rule.id}/edit", data=BEGUN | {"pattern": "mine"}).get_data(as_text=True)

    assert re.search(r'<input class="form-check-input" id="enabled" name="enabled" type="checkbox" value="y">', page)
