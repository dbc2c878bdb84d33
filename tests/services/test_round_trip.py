"""What is exported and imported again is the same, whatever rules say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from bastion.engine import Action, ExceptionKind, RuleException, RuleSpec, Severity, Validator, Views
from bastion.engine.validation import rule_faults
from bastion.models import Rule
from bastion.rulefile import Format, SourceFile, read_rule_files, write_rules
from bastion.services.rules.exporting import exported, rules_in_use
from bastion.services.rules.stored_rules import create_rule, toggle_rule, update_rule
from bastion.services.rules.transfer import plan_import, store_rules

ANY = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
PRINTABLE = st.one_of(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Zs")),
    st.sampled_from(" :#-'\"|>&*!%@`"),
)
LINE = st.text(PRINTABLE, min_size=1, max_size=30).filter(str.strip)
TEXT = st.text(
    st.one_of(ANY, st.sampled_from("\n\r\t \x85\u2028\ufeff:#-'\"|>&*!%@`\\")), min_size=1, max_size=60
).filter(str.strip)
ENTRIES = st.lists(TEXT.filter(lambda text: "\n" not in text), max_size=3).map(tuple)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
WORDS = st.sampled_from(
    ["null", "~", "yes", "123", "1e3", "2026-01-01", "- a", "a: b", "draft", " outer ", "#x", "''", "|"]
)
PATTERNS = st.lists(
    st.sampled_from(
        [r"(?i)ignore\s+all", " b ", "# c", "'q'", '"', "null", "~x", "a: b", "é\u200b", "- d", "x\r", "y\t"]
    ),
    min_size=1,
    max_size=4,
).map("\n".join)
CONDITIONS = st.sampled_from(
    [
        'keywords:\n\n    $a = " b "\n  $c = /d{2}/i // e\n\ncondition:\n\tall of them',
        'meta:\n  version = "1"\nkeywords:\n# f\n$a = \'"\'\nllm:\n  $m = "g\n h?" (0.1)\ncondition: $a or $m',
    ]
)
RELATED = st.lists(
    st.sampled_from(["related.derived.a", "related.similar.b.c", "related.x. ", "related..d", "status.test"]),
    max_size=4,
).map(tuple)
UUIDS = st.one_of(st.uuids().map(str), LINE.filter(lambda text: "/" not in text and not text.isdigit()))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
EXCEPTIONS = st.builds(
    RuleException,
    id=st.sampled_from(["0a1b2c3d", "ffffffff"]),
    kind=st.sampled_from([ExceptionKind.SOURCE, ExceptionKind.FLOW]),
    value=LINE,
    reason=LINE,
    created_at=MOMENTS,
    author=st.none() | LINE,
    until=st.none() | MOMENTS,
)
EXPRESSIONS = st.builds(
    RuleSpec,
    uuid=UUIDS,
    name=LINE | WORDS,
    details=TEXT | WORDS,
    pattern=PATTERNS,
    action=st.sampled_from(Action),
    views=st.sampled_from(Views),
    validator=st.none() | st.sampled_from(Validator),
    severity=st.none() | st.sampled_from(Severity),
    category=st.none() | LINE | WORDS,
    cwe_id=st.none() | LINE,
    enabled=st.booleans(),
    author=st.none() | LINE | WORDS,
    tags=st.tuples(ENTRIES, RELATED).map(lambda tags: tags[0] + tags[1]),
    references=ENTRIES,
    false_positives=ENTRIES,
    exceptions=st.lists(EXCEPTIONS, max_size=2, unique_by=lambda one: one.id).map(tuple),
    must_match=TEXTS,
    must_not_match=TEXTS,
)
SPECS = st.one_of(
    EXPRESSIONS,
    st.builds(lambda spec, pattern: replace(spec, language="nova", pattern=pattern), EXPRESSIONS, CONDITIONS),
).filter(lambda spec: not rule_faults(spec))
RULES = st.lists(SPECS, min_size=1, max_size=4, unique_by=lambda spec: spec.uuid)


def contents(session: Session, *, with_history: bool = True) -> list[Any]:
    return list(exported(session, rules_in_use(session), with_history=with_history))


def files(session: Session, form: Format, *, with_history: bool) -> SourceFile:
    pieces = write_rules(contents(session, with_history=with_history), form)
    return SourceFile(f"rules.{form}", "".join(pieces).encode())


def store(session: Session, specs: list[RuleSpec]) -> None:
    session.execute(sa.delete(Rule))
    for number, spec in enumerate(specs):
        rule = create_rule(session, spec, probed=True, actor="ada", why="begun")
        for _ in range(number):
            update_rule(session, rule, {"details": f"{rule.details}!"}, probed=True, actor="bob")
    session.commit()


def again(session: Session, file: SourceFile) -> None:
    read = read_rule_files([file])
    assert read.faults == ()
    store_rules(session, read)
    session.commit()
    session.expire_all()


ON_ONE_DATABASE = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@ON_ONE_DATABASE
@given(specs=RULES, form=st.sampled_from(Format), with_history=st.booleans())
def test_into_an_empty_database(session: Session, specs: list[RuleSpec], form: Format, with_history: bool) -> None:
    store(session, specs)
    before = contents(session, with_history=with_history)
    file = files(session, form, with_history=with_history)

    session.execute(sa.delete(Rule))
    again(session, file)

    assert contents(session, with_history=with_history) == before
    assert files(session, form, with_history=with_history) == file
    assert {one.kind for one in plan_import(session, read_rule_files([file]))} == {"same"}


CHANGES: dict[str, Callable[[Rule], Any]] = {
    "name": lambda rule: f"{rule.name}!",
    "enabled": lambda rule: not rule.enabled,
    "category": lambda _rule: "another",
    "must_match": lambda _rule: ("another",),
    "must_not_match": lambda _rule: ("another",),
    "tags": lambda _rule: ("another",),
    "validator": lambda _rule: Validator.LUHN,
}


@ON_ONE_DATABASE
@given(specs=RULES, form=st.sampled_from(Format), fields=st.sets(st.sampled_from(sorted(CHANGES)), min_size=1))
def test_over_rules_that_have_changed(session: Session, specs: list[RuleSpec], form: Format, fields: set[str]) -> None:
    store(session, specs)
    file = files(session, form, with_history=False)
    before = contents(session, with_history=False)
    for rule in session.scalars(sa.select(Rule)).all():
        update_rule(session, rule, {name: CHANGES[name](rule) for name in fields}, probed=True)
    session.commit()
    versions = {rule.uuid: rule.version for rule in session.scalars(sa.select(Rule))}
    planned = [
        (one.spec.uuid, one.kind, {found.field for found in one.differences})
        for one in plan_import(session, read_rule_files([file]))
    ]

    again(session, file)

    assert contents(session, with_history=False) == before
    for uuid, kind, differing in planned:
        rule = session.scalars(sa.select(Rule).where(Rule.uuid == uuid)).one()
        assert rule.version == versions[uuid] + (kind == "changed")
        # A change that was none, such as to the validator that it had, is none on the way back.
        assert differing <= fields


def test_a_rule_keeps_its_versions_on_the_way(session: Session) -> None:
    spec = RuleSpec(uuid="u", name="n", details="d", pattern="a", action=Action.NOTIFY)
    rule = create_rule(session, spec, probed=True, actor="ada", why="begun")
    toggle_rule(session, rule, actor="bob")
    session.commit()
    with_history = files(session, Format.YAML, with_history=True)
    without = files(session, Format.YAML, with_history=False)
    session.execute(sa.delete(Rule))

    again(session, with_history)

    (stored,) = session.scalars(sa.select(Rule))
    assert (stored.version, [entry["by"] for entry in stored.history]) == (2, ["ada", "bob"])
    assert stored.history[0]["content"]["enabled"] is True
    update_rule(session, stored, {"name": "m"}, 2, probed=True)
    session.commit()
    assert (stored.version, len(stored.history)) == (3, 3)
    again(session, with_history)
    (stored,) = session.scalars(sa.select(Rule))
    assert (stored.version, stored.name, stored.history[1]["by"]) == (4, "n", "bob")
    session.execute(sa.delete(Rule))
    again(session, without)
    assert session.scalars(sa.select(Rule.version)).all() == [1]


SIGMA = b"""name: a
details: d
uuid: a
status: test
level: high
related: [{id: u-1, type: derived}, {id: u-2, type: renamed}]
references: [https://example.org]
falsepositives: [tests]
tags: [x]
detection: {pattern: a}
"""


def test_sigmas_words_come_back(session: Session) -> None:
    again(session, SourceFile("a.yml", SIGMA))

    (content,) = yaml.safe_load_all(files(session, Format.YAML, with_history=False).content)

    kept = yaml.safe_load(SIGMA)
    assert {key: content[key] for key in ("related", "references", "falsepositives")} == {
        key: kept[key] for key in ("related", "references", "falsepositives")
    }
    assert (content["severity"], content["status"], content["tags"]) == ("high", "monitor", ["x", "status.test"])
