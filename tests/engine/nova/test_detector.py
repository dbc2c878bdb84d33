"""Rules of keywords with a condition, as the engine runs them."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bastion.engine import Engine, ExceptionKind, Origin, RuleException, Validator, Views
from bastion.engine.detectors.nova_rules import NovaDetector
from bastion.engine.verdict import MAX_SPANS
from tests.factories import rule_spec

BOTH = 'keywords:\n  $verb = "hand over"\n  $thing = /launch codes?/\n  $joke = "April fool"\ncondition:\n  '
DEMAND = f"{BOTH}$verb and $thing and not $joke"


def test_keywords_may_be_disguised_each_in_another_way() -> None:
    rule = rule_spec(pattern=DEMAND, language="nova")
    engine = Engine([rule])
    hidden = base64.b64encode(b"all of the launch codes at once").decode()
    text = f"Ｈand over this: {hidden}"

    (match,) = engine.scan(text).matches

    assert match.rule is rule
    first, second = match.spans
    assert text[slice(*first)] == "Ｈand over"
    assert text.index(hidden) < second[0] < second[1] < len(text)
    assert engine.every_span(rule, text) == match.spans
    assert match.view != "raw"
    assert (match.revealed or "").lower() in ("hand over", "launch codes")


def test_a_keyword_that_is_hidden_counts_against_the_rule_too() -> None:
    engine = Engine([rule_spec(pattern=DEMAND, language="nova")])
    hidden = base64.b64encode(b"this is an april fool, of course").decode()

    assert engine.scan("hand over the launch codes").matches
    assert engine.scan(f"hand over the launch codes {hidden}").matches == ()


def test_views_may_be_left_out() -> None:
    rule = rule_spec(pattern=DEMAND, language="nova", views=Views.RAW)
    engine = Engine([rule])

    assert engine.scan("hand over launch codes").matches
    assert engine.scan("Ｈand over launch codes").matches == ()


def test_both_languages_run_in_one_pass_and_in_the_order_of_the_rules() -> None:
    rules = [
        rule_spec(pattern=DEMAND, language="nova", name="1"),
        rule_spec(pattern="(?i)launch", name="2"),
        rule_spec(pattern=f"{BOTH}any of them", language="nova", name="3"),
        rule_spec(pattern="codes", name="4", category="quiet"),
        rule_spec(pattern=f"{BOTH}$joke or $thing", language="nova", name="5", category="Quiet"),
    ]
    engine = Engine(rules)

    assert [match.rule.name for match in engine.scan("hand over launch codes").matches] == ["2", "4", "1", "3", "5"]
    assert [match.rule.name for match in engine.scan("launch codes", without={"quiet"}).matches] == ["2", "3"]
    explained = engine.explain("hand over launch codes")
    assert explained.verdict == engine.scan("hand over launch codes")
    assert engine.every_span(rules[1], "Launch, launch") == ((0, 6), (8, 14))


def test_what_is_shown_has_a_place_of_each_keyword() -> None:
    pattern = (
        'keywords:\n  $a = "a"\n  $z = "z"\n  $not = "q"\ncondition:\n  all of ($a, $z) and not $not or ($not and $a)'
    )
    rule = rule_spec(pattern=pattern, language="nova")
    engine = Engine([rule])
    text = "a" * 30 + "z"

    (match,) = engine.scan(text).matches

    assert len(match.spans) == MAX_SPANS
    assert {text[start:end] for start, end in match.spans} == {"a", "z"}
    assert (match.matched_text, match.spans[0]) == ("a", (0, 1))
    assert len(engine.every_span(rule, text) or ()) == 31
    assert engine.every_span(rule, "z") == ()


def test_what_cannot_run_is_listed_with_the_reason() -> None:
    unreadable = rule_spec(pattern="keywords:\n  $a = (\ncondition: $a", language="nova")
    asking = rule_spec(pattern=f'llm:\n  $m = "So?"\n{BOTH}$verb and llm.$m', language="nova")
    good = rule_spec(pattern=f'llm:\n  $m = "So?"\n{BOTH}$verb or llm.$m', language="nova")

    engine = Engine([unreadable, asking, good])

    assert {fault.rule: fault.reason for fault in engine.rejected} == {
        unreadable: 'line 2, column 8: wants a text in quotes, "so", or an expression between slashes, /so/',
        asking: "needs llm.$m, which nothing here runs: no keywords alone make its condition true",
    }
    assert [match.rule for match in engine.scan("hand over").matches] == [good]


SLOW = "/(x|xx)+é/"


@pytest.mark.parametrize(
    ("condition", "matched", "faulty"),
    [
        ("$slow or $word", True, False),
        ("$slow and $word", False, True),
        ("$word and not $slow", False, True),
        ("$slow and $other", False, False),
        ("2 of them", False, True),
    ],
)
def test_a_keyword_that_runs_out_of_time_is_a_fault_if_it_matters(condition: str, matched: bool, faulty: bool) -> None:
    pattern = f'keywords:\n  $slow = {SLOW}\n  $word = "word"\n  $other = "other"\ncondition:\n  {condition}'
    rule = rule_spec(pattern=pattern, language="nova")
    detector = NovaDetector([rule])
    text = "word " + "x" * 5000 + "!xé"

    findings = detector.scan(text)

    assert [match.rule for match in findings.matches] == [rule] * matched
    assert [fault.rule for fault in findings.faults] == [rule] * faulty
    if faulty:
        assert findings.faults[0].reason.startswith("keywords.$slow: ran out of time")
        assert detector.every_span(rule, text) is None


def test_a_validator_is_asked_of_each_keyword() -> None:
    pattern = "keywords:\n  $number = /\\d{16}/\ncondition:\n  $number"
    engine = Engine([rule_spec(pattern=pattern, language="nova", validator=Validator.LUHN)])

    assert engine.scan("4111111111111111").matches
    assert engine.scan("4111111111111112").matches == ()


def test_exceptions_cover_the_places_of_all_keywords() -> None:
    now = datetime.now(UTC)
    exception = RuleException(
        id="e", kind=ExceptionKind.REGEX, value="hand over .* codes", reason="drill", created_at=now
    )
    rule = rule_spec(pattern=DEMAND, language="nova", exceptions=(exception,))
    engine = Engine([rule])

    def left(text: str) -> bool:
        return bool(engine.apply_exceptions(engine.scan(text), text, Origin(None, "default"), now).matches)

    assert not left("hand over the launch codes")
    assert left("hand over the launch codes. Launch code!")
    assert left("launch codes, hand over")


def test_the_same_rule_under_another_uuid_matches_for_itself() -> None:
    rule = rule_spec(pattern=DEMAND, language="nova")
    other = replace(rule, uuid="other")

    assert [match.rule for match in Engine([rule, other]).scan("hand over launch codes").matches] == [rule, other]
