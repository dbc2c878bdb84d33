"""Rules listed, written, switched and put away."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from bastion.engine import Action, Severity, Views
from bastion.errors import Conflict, InvalidRule, NotFound
from bastion.models import Event, Rule, RuleTrigger
from bastion.services.rules.stored_rules import (
    any_rule,
    archive_rule,
    archived_rules,
    categories,
    count_triggers,
    create_rule,
    delete_rule,
    get_rule,
    list_rules,
    restore_rule,
    retire_rule,
    toggle_rule,
    update_rule,
)
from tests.factories import rule_spec, stored_event, stored_rule

Change = Callable[[Session, Rule], object]


def archived_rule(session: Session, **given: object) -> Rule:
    rule = archive_rule(session, stored_rule(session, **given))
    session.commit()
    return rule


def test_a_rule_is_stored_as_it_was_written(session: Session) -> None:
    spec = rule_spec(
        cwe_id="CWE-94",
        author="Анна",
        tags=("LLM01:2025", "b"),
        references=("r",),
        false_positives=("f",),
        views=Views.RAW,
    )

    rule = create_rule(session, spec)
    session.commit()

    stored = session.get_one(Rule, rule.id).spec
    assert (stored.id, stored.version) == (rule.id, 1)
    assert {name: getattr(stored, name) for name in spec.__slots__ if name != "id"} == {
        name: getattr(spec, name) for name in spec.__slots__ if name != "id"
    }


def test_a_taken_uuid_is_a_conflict(session: Session) -> None:
    stored = stored_rule(session)

    with pytest.raises(Conflict, match=stored.uuid):
        create_rule(session, rule_spec(uuid=stored.uuid))
    create_rule(session, rule_spec())
    assert session.query(Rule).count() == 2


def test_a_uuid_that_is_taken_in_the_same_moment_is_a_conflict(session: Session, engine: Engine) -> None:
    spec = rule_spec()

    def be_faster(*_: object) -> None:
        with Session(engine) as other:
            stored_rule(other, uuid=spec.uuid, name="Faster")

    event.listen(session, "before_flush", be_faster, once=True)

    with pytest.raises(Conflict, match=spec.uuid):
        create_rule(session, spec)
    assert [rule.name for rule in session.scalars(sa.select(Rule))] == ["Faster"]


def test_an_invalid_rule_is_not_stored(session: Session) -> None:
    with pytest.raises(InvalidRule, match="pattern: line 1, column 3"):
        create_rule(session, rule_spec(pattern="a("))

    assert not any_rule(session)


def test_any_rule_counts_archived_ones(session: Session) -> None:
    assert not any_rule(session)
    archived_rule(session)
    assert any_rule(session)


@pytest.mark.parametrize(
    ("filters", "total", "names"),
    [
        ({}, 5, ["a1", "a2", "b1", "b2", "none"]),
        ({"category": "a"}, 2, ["a1", "a2"]),
        ({"category": "A"}, 0, []),
        ({"enabled": False}, 2, ["a2", "b2"]),
        ({"enabled": True}, 3, ["a1", "b1", "none"]),
        ({"category": "b", "enabled": False}, 1, ["b2"]),
        ({"skip": 1, "limit": 2}, 5, ["a2", "b1"]),
        ({"skip": 4, "limit": 2}, 5, ["none"]),
        ({"skip": 9}, 5, []),
        ({"limit": 0}, 5, []),
        ({"enabled": True, "skip": 1, "limit": 1}, 3, ["b1"]),
        ({"category": "b", "enabled": True, "skip": 1}, 1, []),
    ],
)
def test_filters_compose_and_the_total_obeys_them(
    session: Session, filters: dict[str, object], total: int, names: list[str]
) -> None:
    for name, category, enabled in [("a1", "a", True), ("a2", "a", False), ("b1", "b", True), ("b2", "b", False)]:
        stored_rule(session, name=name, category=category, enabled=enabled)
    archived_rule(session, name="gone", category="a")
    stored_rule(session, name="none", category=None)

    found, rules = list_rules(session, **filters)  # type: ignore[arg-type]

    assert (found, [rule.name for rule in rules]) == (total, names)


def test_archived_rules_and_categories_are_listed_apart(session: Session) -> None:
    gone = archived_rule(session, category="a")
    for category in ("b", "a", None, "b"):
        stored_rule(session, category=category)

    assert archived_rules(session) == [gone]
    assert categories(session) == ["a", "b"]
    assert get_rule(session, gone.id) is gone


@pytest.mark.parametrize("number", [0, -1, 99, 2**31, 2**64])
def test_an_unknown_rule_is_not_found(session: Session, number: int) -> None:
    stored_rule(session)

    with pytest.raises(NotFound, match=f"no rule {number}"):
        get_rule(session, number)


def test_an_update_changes_what_it_names_and_makes_a_new_version(session: Session) -> None:
    rule, noise = stored_rule(session, tags=("kept",)), stored_rule(session)
    updated_at = rule.updated_at

    update_rule(session, rule, {"pattern": "new", "action": Action.NOTIFY, "severity": None}, version=1)
    session.commit()

    assert (rule.pattern, rule.action, rule.severity, rule.tags) == ("new", "notify", None, ("kept",))
    assert (rule.version, noise.version) == (2, 1)
    assert rule.updated_at > updated_at


def test_the_views_of_a_rule_change_like_the_rest(session: Session) -> None:
    rule, noise = stored_rule(session), stored_rule(session, views=Views.RAW)
    assert (rule.views, rule.spec.views) == ("all", Views.ALL)

    update_rule(session, rule, {"views": Views.RAW}, version=1)
    session.commit()

    assert (rule.views, rule.spec.views, rule.version) == ("raw", Views.RAW, 2)
    assert (noise.views, noise.version) == ("raw", 1)
    update_rule(session, rule, {"views": Views.RAW}, version=2)
    assert rule.version == 2
    update_rule(session, rule, {"views": Views.ALL}, version=2)
    assert (rule.views, rule.version) == ("all", 3)


@pytest.mark.parametrize("tags", [(), ("a", "b")])
def test_unchanged_content_makes_no_new_version(session: Session, tags: tuple[str, ...]) -> None:
    rule = stored_rule(session, tags=tags, cwe_id=None)
    updated_at = rule.updated_at

    update_rule(session, rule, {"name": rule.name, "severity": Severity.HIGH, "tags": tags, "cwe_id": None})
    update_rule(session, rule, {})
    session.commit()

    assert (rule.version, rule.updated_at) == (1, updated_at)


def test_an_invalid_change_is_refused(session: Session) -> None:
    rule = stored_rule(session, name="Before")

    with pytest.raises(InvalidRule, match="pattern"):
        update_rule(session, rule, {"name": "After", "pattern": "a("})
    session.commit()

    assert (rule.name, rule.version) == ("Before", 1)


def test_a_change_to_an_older_version_is_a_conflict(session: Session) -> None:
    rule = stored_rule(session)
    update_rule(session, rule, {"name": "Newer"}, version=1)

    with pytest.raises(Conflict, match=f"rule {rule.id} meanwhile"):
        update_rule(session, rule, {"name": "Too late"}, version=1)

    assert (rule.name, rule.version) == ("Newer", 2)


@pytest.mark.parametrize(
    "change",
    [lambda session, rule: update_rule(session, rule, {"name": "Later"}, version=1), toggle_rule, archive_rule],
)
def test_of_two_sessions_that_edit_one_rule_the_second_is_refused(
    session: Session, engine: Engine, change: Change
) -> None:
    rule_id = stored_rule(session).id
    rule = get_rule(session, rule_id)
    assert rule.version == 1
    with Session(engine) as other:
        update_rule(other, get_rule(other, rule_id), {"name": "Earlier"}, version=1)
        other.commit()

    with pytest.raises(Conflict, match=f"rule {rule_id} meanwhile"):
        change(session, rule)
    session.commit()

    assert (rule.name, rule.version, rule.enabled, rule.archived_at) == ("Earlier", 2, True, None)


def test_an_edit_of_a_rule_that_somebody_deleted_is_a_conflict(session: Session, engine: Engine) -> None:
    rule_id = stored_rule(session).id
    rule = get_rule(session, rule_id)
    assert rule.version == 1
    with Session(engine) as other:
        delete_rule(other, get_rule(other, rule_id), with_triggers=0)
        other.commit()

    with pytest.raises(Conflict):
        update_rule(session, rule, {"name": "Too late"})


def test_a_toggled_rule_is_disabled_and_enabled_again(session: Session) -> None:
    rule, noise = stored_rule(session), stored_rule(session)

    assert toggle_rule(session, rule).enabled is False
    assert toggle_rule(session, rule).enabled is True
    assert (rule.version, noise.enabled, noise.version) == (3, True, 1)


def test_a_restored_rule_comes_back_disabled(session: Session) -> None:
    rule, noise = archived_rule(session), archived_rule(session)

    assert list_rules(session) == (0, [])
    restore_rule(session, rule)
    session.commit()

    assert (rule.archived_at, rule.enabled) == (None, False)
    assert list_rules(session) == (1, [rule])
    assert archived_rules(session) == [noise]


def test_a_rule_that_never_triggered_is_deleted_and_one_that_did_is_archived(session: Session) -> None:
    silent, noise, loud = stored_rule(session), stored_rule(session), stored_rule(session)
    stored_event(session, rules=(loud, noise))

    retire_rule(session, silent)
    retire_rule(session, loud)
    session.commit()

    assert [rule.id for rule in archived_rules(session)] == [loud.id]
    assert list_rules(session) == (1, [noise])
    assert count_triggers(session, loud) == 1
    assert session.query(Rule).count() == 2


def test_a_rule_is_deleted_with_its_triggers_and_no_others(session: Session) -> None:
    rule, noise = stored_rule(session), stored_rule(session)
    for rules in ((rule, noise), (rule,), (noise,)):
        stored_event(session, rules=rules)
    assert (count_triggers(session, rule), count_triggers(session, noise)) == (2, 2)

    delete_rule(session, rule, with_triggers=2)
    session.commit()

    assert [left.rule_id for left in session.scalars(sa.select(RuleTrigger))] == [noise.id, noise.id]
    assert (list_rules(session), session.query(Event).count()) == ((1, [noise]), 3)


@pytest.mark.parametrize("told", [0, 1, 3])
def test_a_rule_with_another_number_of_triggers_than_told_stays(session: Session, told: int) -> None:
    rule = stored_rule(session)
    stored_event(session, rules=(rule, rule))

    with pytest.raises(Conflict, match=f"has 2 triggers by now, not {told}"):
        delete_rule(session, rule, with_triggers=told)
    session.commit()

    assert (count_triggers(session, rule), session.query(Rule).count()) == (2, 1)


@pytest.mark.parametrize(
    ("column", "word"),
    [("action", "explode"), ("severity", "awful"), ("action", " "), ("views", "decoded"), ("views", " ")],
)
def test_a_row_that_another_program_wrote_wrongly_can_be_mended(session: Session, column: str, word: str) -> None:
    rule = stored_rule(session, tags=("kept",))
    session.execute(sa.text(f"UPDATE rules SET {column} = :word"), {"word": word})
    session.commit()
    with pytest.raises(ValueError, match="is not a valid"):
        _ = rule.spec

    update_rule(session, rule, {"action": Action.BLOCK, "severity": Severity.LOW, "views": Views.RAW})
    session.commit()

    assert (rule.spec.action, rule.spec.severity, rule.spec.tags) == (Action.BLOCK, Severity.LOW, ("kept",))
    assert rule.spec.views is Views.RAW


def test_mending_one_field_leaves_the_readable_ones_alone(session: Session) -> None:
    rule = stored_rule(session, action=Action.BLOCK, views=Views.RAW)
    session.execute(sa.text("UPDATE rules SET severity = 'awful'"))
    session.commit()

    update_rule(session, rule, {"name": "Mended"})

    assert (rule.name, rule.action, rule.views) == ("Mended", "block", "raw")


def test_views_that_there_are_not_become_all_with_the_next_change(session: Session) -> None:
    rule = stored_rule(session)
    session.execute(sa.text("UPDATE rules SET views = 'decoded'"))
    session.commit()

    update_rule(session, rule, {"name": "Mended"})

    assert (rule.name, rule.spec.views) == ("Mended", Views.ALL)
