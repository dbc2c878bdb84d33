"""The versions that a rule keeps of itself."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Action, Severity
from bastion.errors import Conflict, InvalidRule, NotFound
from bastion.models import Rule
from bastion.services.rules import history
from bastion.services.rules.history import get_version, versions
from bastion.services.rules.stored_rules import archive_rule, bring_back, create_rule, toggle_rule, update_rule
from tests.factories import rule_spec, stored_rule


def signed(rule: Rule) -> list[tuple[int, str | None, str | None]]:
    return [(version.number, version.by, version.why) for version in versions(rule)]


def test_each_version_says_who_saved_it_and_why(session: Session) -> None:
    rule = create_rule(session, rule_spec(name="First"), actor="ada", why="It was needed.")
    noise = stored_rule(session)
    update_rule(session, rule, {"name": "Second", "tags": ("a", "b")}, actor="bob", why=" Better ")
    toggle_rule(session, rule, actor="a token")
    session.commit()
    session.expire_all()

    assert signed(rule) == [(3, "a token", None), (2, "bob", "Better"), (1, "ada", "It was needed.")]
    assert [version.content["name"] for version in versions(rule) if version.content] == ["Second", "Second", "First"]
    first, second = get_version(rule, 1), get_version(rule, 2)
    assert first.content is not None
    assert second.content is not None
    assert (first.content["tags"], second.content["tags"]) == ([], ["a", "b"])
    assert first.at is not None
    assert second.at is not None
    assert first.at < second.at
    assert signed(noise) == [(1, None, None)]


def test_what_changes_nothing_leaves_no_version(session: Session) -> None:
    rule = stored_rule(session)

    update_rule(session, rule, {"name": rule.name}, actor="ada", why="nothing")

    assert signed(rule) == [(1, None, None)]


def test_a_rule_from_before_there_was_a_history_has_one_from_its_next_change_on(session: Session) -> None:
    rule = stored_rule(session, name="Old")
    session.execute(sa.text("UPDATE rules SET history = NULL, version = 7"))
    session.commit()
    saved_at = rule.updated_at

    update_rule(session, rule, {"name": "New"}, actor="ada")
    session.commit()

    assert signed(rule) == [(8, "ada", None), (7, None, None)]
    old = get_version(rule, 7)
    assert (old.at, (old.content or {})["name"]) == (saved_at, "Old")


def test_a_change_that_another_program_made_is_a_version_of_nobody(session: Session) -> None:
    rule = stored_rule(session)
    update_rule(session, rule, {"name": "Ours"}, actor="ada")
    session.commit()
    session.execute(sa.text("UPDATE rules SET name = 'Elsewhere', version = 5"))
    session.commit()

    update_rule(session, rule, {"name": "Ours again"}, actor="ada")
    session.commit()

    assert signed(rule) == [(6, "ada", None), (5, None, None), (2, "ada", None), (1, None, None)]
    assert (get_version(rule, 5).content or {})["name"] == "Elsewhere"
    with pytest.raises(NotFound, match="version 2"):
        get_version(rule, 2)


@pytest.mark.parametrize("stored", ['{"a": 1}', '[1, null, {"version": "x"}, {"version": true}]', "[[]]"])
def test_a_history_that_cannot_be_read_is_begun_anew(session: Session, stored: str) -> None:
    rule = stored_rule(session)
    session.execute(sa.text("UPDATE rules SET history = :stored"), {"stored": stored})
    session.commit()
    assert signed(rule) == [(1, None, None)]

    update_rule(session, rule, {"name": "New"}, actor="ada")
    session.commit()

    assert signed(rule) == [(2, "ada", None), (1, None, None)]


def test_only_the_newest_versions_are_kept(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_VERSIONS", 3)
    rule = stored_rule(session)

    for number in range(5):
        update_rule(session, rule, {"name": f"Name {number}"})
    session.commit()
    session.expire_all()

    assert [version.number for version in versions(rule)] == [6, 5, 4]


def test_old_versions_go_when_all_take_too_much_room(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = stored_rule(session)
    monkeypatch.setattr(history, "MAX_BYTES", 25_000)

    for number in range(4):
        update_rule(session, rule, {"details": f"{number}" + "ü" * 5000})

    assert [version.number for version in versions(rule)] == [5, 4, 3]


def test_a_version_is_brought_back_as_a_new_one_and_what_runs_stays(session: Session) -> None:
    rule = stored_rule(session, name="First", tags=("a",), action=Action.BLOCK, severity=Severity.LOW, enabled=False)
    content: dict[str, Any] = {"name": "Second", "tags": (), "action": Action.NOTIFY, "severity": None, "enabled": True}
    update_rule(session, rule, content)
    noise = stored_rule(session, name="Noise")

    bring_back(session, rule, 1, 2, actor="ada")
    session.commit()

    assert (rule.name, rule.tags, rule.action, rule.severity, rule.enabled) == ("First", ("a",), "block", "low", True)
    assert signed(rule)[0] == (3, "ada", "back to version 1")
    assert (noise.name, noise.version) == ("Noise", 1)


def test_a_version_is_not_brought_back_over_one_that_was_not_seen(session: Session) -> None:
    rule = stored_rule(session, name="First")
    update_rule(session, rule, {"name": "Second"})
    update_rule(session, rule, {"name": "Third"})

    with pytest.raises(Conflict):
        bring_back(session, rule, 1, 2, actor="ada")
    with pytest.raises(NotFound):
        bring_back(session, rule, 9, 3, actor="ada")
    assert rule.name == "Third"


def test_archiving_is_a_version(session: Session) -> None:
    rule = stored_rule(session)

    archive_rule(session, rule, actor="ada")
    session.commit()

    newest, oldest = versions(rule)
    assert ((newest.content or {})["archived"], (oldest.content or {})["archived"]) == (True, False)
    assert newest.by == "ada"


@pytest.mark.parametrize("why", ["x" * 501, "a\0b", "\ud800"])
def test_a_reason_that_cannot_be_kept_is_refused(session: Session, why: str) -> None:
    rule = stored_rule(session, name="First")

    with pytest.raises(InvalidRule, match="comment"):
        update_rule(session, rule, {"name": "Second"}, why=why)
    with pytest.raises(InvalidRule, match="comment"):
        create_rule(session, rule_spec(), why=why)
    assert (rule.name, session.query(Rule).count()) == ("First", 1)
