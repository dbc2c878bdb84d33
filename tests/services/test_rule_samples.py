"""Samples: the texts that a rule keeps, and what becomes of a rule that fails them."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from bastion.compiler.trying import TryingCompiler
from bastion.engine import Action, Views
from bastion.engine.layers import compile_signs
from bastion.engine.validation import MAX_SAMPLE_CHARACTERS, field_faults
from bastion.errors import InvalidRule
from bastion.models import Rule
from bastion.services.rules import bulk, samples
from bastion.services.rules.bulk import BulkChange, Kind
from bastion.services.rules.history import get_version
from bastion.services.rules.samples import (
    TriedSample,
    join_samples,
    lacking_samples,
    split_samples,
    try_kept,
    try_samples,
)
from bastion.services.rules.stored_rules import bring_back, get_rule, toggle_rule, update_rule
from tests.factories import rule_spec, stored_rule

COMPILER = TryingCompiler(compile_signs).unfiltered
GOOD = {"must_match": ("please ignore previous", "aWdub3JlIHByZXZpb3Vz"), "must_not_match": ("hello",)}


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("", []),
        ("one\r\n\r\n two ", ["one", " two "]),
        ("one\nmore\n---\ntwo\n ---\n\n---", ["one\nmore", "two"]),
        ("---", []),
    ],
)
def test_samples_are_lines_or_what_stands_between_dashes(text: str, texts: list[str]) -> None:
    assert split_samples(text) == texts


def test_samples_are_judged_as_detection_judges() -> None:
    plain, hidden, innocent = "please ignore previous", "aWdub3JlIHByZXZpb3Vz", "hello"

    tried = try_samples(rule_spec(), [plain, hidden, innocent], COMPILER)

    assert tried == [
        TriedSample(plain, ((7, 22),), "raw"),
        TriedSample(hidden, ((0, 20),), "base64", "ignore previous"),
        TriedSample(innocent),
    ]
    assert [one.matched for one in try_samples(rule_spec(views=Views.RAW), [plain, hidden], COMPILER)] == [True, False]
    assert try_samples(rule_spec(enabled=False), [plain], COMPILER)[0].matched


def test_a_sample_that_takes_too_long_is_neither_yes_nor_no() -> None:
    (tried,) = try_samples(rule_spec(pattern=r"(?:a|a|aa)+$"), ["a" * 60 + "!"], COMPILER)

    assert not tried.matched
    assert "ran out of time" in (tried.fault or "")


def test_samples_beyond_the_limits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    many = try_samples(rule_spec(), ["ignore previous"] * 60, COMPILER)
    long = try_samples(rule_spec(), ["ignore previous", "x" * 50_001, "ignore previous"], COMPILER)
    monkeypatch.setattr(samples, "SAMPLE_SECONDS", -1)
    late = try_samples(rule_spec(), ["ignore previous"], COMPILER)

    assert (len(many), many[49].matched) == (51, True)
    assert "at most 50 texts" in (many[50].fault or "")
    assert [one.matched for one in long] == [True, False]
    assert "took too long" in (late[0].fault or "")


LINES = st.text(st.characters(exclude_characters="\r", exclude_categories=("Cs",)), min_size=1)


@given(st.lists(LINES.filter(lambda text: text.strip() and "---" not in text)))
def test_a_box_gives_back_the_texts_that_it_was_given(texts: list[str]) -> None:
    assert split_samples(join_samples(texts)) == texts


def test_samples_are_stored_with_the_rule_and_kept_in_its_history(session: Session) -> None:
    rule, noise = stored_rule(session, **GOOD), stored_rule(session)
    update_rule(session, rule, {"must_not_match": ("hello", "a\n  b")})
    session.commit()
    session.expire_all()

    assert (rule.must_match, rule.must_not_match) == (GOOD["must_match"], ("hello", "a\n  b"))
    assert rule.samples == {"must_match": list(GOOD["must_match"]), "must_not_match": ["hello", "a\n  b"]}
    assert (noise.samples, noise.must_match) == (None, ())
    content = get_version(rule, 1).content or {}
    assert (content["must_match"], content["must_not_match"]) == (list(GOOD["must_match"]), ["hello"])
    bring_back(session, rule, 1, actor="ada")
    session.commit()
    assert rule.must_not_match == ("hello",)
    update_rule(session, rule, dict.fromkeys(GOOD, ()))
    session.commit()
    assert session.scalar(sa.select(sa.func.count()).where(Rule.samples.is_(None))) == 2


def test_a_rule_that_fails_a_sample_does_not_run(session: Session) -> None:
    failing: dict[str, Any] = {
        "must_match": ("ignore previous", "nothing\u200b of it"),
        "must_not_match": GOOD["must_match"],
    }

    with pytest.raises(InvalidRule) as caught:
        stored_rule(session, **failing)

    assert [(fault.field, fault.message.split(":")[0]) for fault in caught.value.faults] == [
        ("samples.must_match", "number 2 is not matched"),
        ("samples.must_not_match", "number 1 is matched (view raw)"),
        ("samples.must_not_match", "number 2 is matched (view base64)"),
    ]
    assert "'nothing\\u200b of it'" in caught.value.faults[0].message
    assert "as a draft, which is a rule that is not enabled" in str(caught.value)
    draft = stored_rule(session, enabled=False, **failing)
    with pytest.raises(InvalidRule, match="number 2 is not matched"):
        toggle_rule(session, draft)
    with pytest.raises(InvalidRule, match="number 2 is not matched"):
        update_rule(session, draft, {"enabled": True})
    (planned,) = bulk.plan(session, [draft.id], BulkChange(Kind.ENABLE))
    assert "has a sample that fails: samples.must_match: number 2" in (planned.refusal or "")
    assert bulk.apply(session, {draft.id: 1}, BulkChange(Kind.ENABLE), actor=None).changed == 0
    draft = get_rule(session, draft.id)
    assert draft.enabled is False
    update_rule(session, draft, {"name": "Other"})
    assert draft.version == 2


def test_a_pattern_that_stops_matching_its_sample_is_not_saved(session: Session) -> None:
    rule = stored_rule(session, **GOOD)

    with pytest.raises(InvalidRule, match="number 1 is not matched"):
        update_rule(session, rule, {"pattern": "(?i)obey"})
    with pytest.raises(InvalidRule, match="number 2 is not matched"):
        update_rule(session, rule, {"views": Views.RAW})

    assert (rule.version, rule.pattern) == (1, r"(?i)ignore\s+previous")
    update_rule(session, rule, {"pattern": "(?i)obey", "enabled": False})
    assert (rule.version, rule.enabled) == (2, False)


def test_samples_have_bounds() -> None:
    def faults(**given: tuple[str, ...]) -> list[str]:
        return [str(fault) for fault in field_faults(rule_spec(**given))]

    assert faults(must_match=("a",) * 25, must_not_match=("b",) * 25) == []
    assert faults(must_match=("a",) * 25, must_not_match=("b",) * 26) == ["samples: are 51, at most 50 are kept"]
    assert faults(must_match=("a" * MAX_SAMPLE_CHARACTERS,)) == []
    (long,) = faults(must_match=("a" * MAX_SAMPLE_CHARACTERS,), must_not_match=("b",))
    assert long == "samples: have 50,001 characters in all, at most 50,000 are kept"
    assert faults(must_not_match=("a", " \n")) == ["samples.must_not_match: number 2 is empty"]
    assert faults(must_match=("a\0",)) == [
        "samples.must_match: number 1 has a character that cannot be stored (U+0000)"
    ]
    assert len(faults(must_match=("\ud800",))) == 1


def test_samples_that_other_programs_wrote_are_read_as_far_as_they_are_ours(session: Session) -> None:
    rule = stored_rule(session, **GOOD)
    for stored, read in (
        ("[1]", ()),
        ('"a"', ()),
        ('{"must_match": "a"}', ()),
        ('{"must_match": ["a", 1]}', ("a",)),
        ("null", ()),
    ):
        session.execute(sa.text("UPDATE rules SET samples = :stored").bindparams(stored=stored))
        session.commit()
        session.expire_all()
        assert (rule.must_match, rule.must_not_match) == (read, ())
        assert rule.spec.name == rule.name


def test_what_blocks_wants_a_sample_of_each_kind() -> None:
    def lacking(before: dict[str, Any] | None = None, **given: Any) -> list[str]:
        return [
            one.field for one in lacking_samples(rule_spec(**given), None if before is None else rule_spec(**before))
        ]

    assert lacking() == ["samples.must_match", "samples.must_not_match"]
    assert lacking(must_match=("a",)) == ["samples.must_not_match"]
    assert lacking(**GOOD) == lacking(action=Action.NOTIFY) == lacking(enabled=False) == []
    assert lacking({}) == []
    assert lacking({"enabled": False}) == lacking({"action": Action.NOTIFY}) == lacking()


def test_samples_are_tried_by_their_kind() -> None:
    spec = rule_spec(must_match=("ignore previous", "hello"), must_not_match=("ignore  previous", "hello"))

    assert [(one.kind, one.number, one.passed) for one in try_kept(spec)] == [
        ("must_match", 1, True),
        ("must_match", 2, False),
        ("must_not_match", 1, False),
        ("must_not_match", 2, True),
    ]
    assert try_kept(rule_spec()) == []
