"""What a rule and a scan may take of the time, and what a rule that takes more has found."""

import time

import pytest
import regex

from bastion.engine import RuleSpec, Views
from bastion.engine.detectors import regex_rules
from bastion.engine.detectors.regex_rules import MAX_SCAN_SECONDS, USUAL_LENGTH, RegexDetector
from bastion.engine.dialect import compile_expression
from bastion.engine.layers import Compiler, compile_here
from tests.factories import rule_spec

A_RUN = "a" * 200


CATASTROPHIC = "(a|aa)+(?<!a)"
"""Takes for ever on a run of ``a`` and matches none; its translation, without the look behind, matches any."""


def quick_detector(*rules: RuleSpec, compiler: Compiler = compile_here) -> RegexDetector:
    return RegexDetector(rules, compiler, rule_seconds=0.05)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (CATASTROPHIC, A_RUN),
        (rf"{CATASTROPHIC}\d?", A_RUN + "!"),
        ("(a+)+(?!!)(?<!a)", "a" * 50_000 + "!"),
        (r"(a|aa)+\1\1b", A_RUN + "!aaab"),
        ("(a|aa)+é", A_RUN + "!aé"),
    ],
)
def test_a_rule_that_takes_too_long_is_a_fault_and_the_others_still_match(pattern: str, text: str) -> None:
    before, endless, after = rule_spec(pattern="a{3}"), rule_spec(pattern=pattern), rule_spec(pattern="a$|!|é|b")

    matches, faults, _ = quick_detector(before, endless, after).scan(text)

    assert [match.rule for match in matches] == [before, after]
    assert all(match.spans for match in matches)
    assert [fault.rule for fault in faults] == [endless]
    assert faults[0].reason == f"ran out of time on a text of {len(text)} characters"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a|aa)+b", A_RUN + "!ab"),
        ("(a|aa)+b", "a" * 50_000 + "!ab"),
        ("(a+)+$", "a" * 50_000 + "!a"),
        ("(x+x+)+y", "x" * 50_000 + "!xxy"),
        ("never\n(a|aa)+b", A_RUN + "!ab"),
        ("(a|aa)+b\nnever", A_RUN + "!ab"),
    ],
)
def test_a_match_that_is_certain_needs_no_time(pattern: str, text: str) -> None:
    """The prefilter says that there is one, in a text where the regex module does not come to it."""
    rule, other = rule_spec(pattern=pattern), rule_spec(pattern="!")

    matches, faults, _ = quick_detector(rule, other).scan(text)

    assert [(match.rule, match.spans, match.matched_text) for match in matches] == [
        (rule, (), ""),
        (other, ((text.index("!"), text.index("!") + 1),), "!"),
    ]
    assert faults == ()


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        # As far as bytes can tell, each of these matches.
        ("(a|aa)+я", A_RUN + "!aJaWaKaLaGaHaIaMaNaOaPaQaRaSaTaUaVaXaYaZ"),
        ("(a|aa)+[^A-Z]!", A_RUN + "aG!"),
        (r"(?a)(a|aa)+\D!", A_RUN + "a5!"),
        ("(a|aa)+[^ ]!", A_RUN + "a !"),
    ],
)
def test_an_ascii_text_in_which_bytes_mean_other_characters_has_not_matched(pattern: str, text: str) -> None:
    matches, _, _ = quick_detector(rule_spec(pattern=pattern)).scan(text)

    assert matches == ()


def test_beyond_ascii_nothing_is_certain() -> None:
    rule = rule_spec(pattern="(a|aa)+b", views=Views.RAW)

    matches, faults, _ = quick_detector(rule).scan(A_RUN + "!ab é")

    assert (matches, [fault.rule for fault in faults]) == ((), [rule])


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(x+x+)+y", r"(\w+\s?)+$", r"(\w+\s?)+(?<!\w)\Z", "(a|aa)+b", CATASTROPHIC]
)
@pytest.mark.parametrize("text", ["a" * 50_000 + "!", "x" * 50_000, "a b " * 12_500 + "!", "ü" * 50_000])
def test_hostile_text_stops_neither_the_scan_nor_the_other_rules(pattern: str, text: str) -> None:
    first, hostile, last = rule_spec(pattern="[axü]"), rule_spec(pattern=pattern), rule_spec(pattern=r"\S\Z")
    detector = RegexDetector([first, hostile, last], rule_seconds=0.02, scan_seconds=0.5)
    began = time.thread_time()

    matches, _, _ = detector.scan(text)

    assert time.thread_time() - began < 2
    assert {first.uuid, last.uuid} <= {match.rule.uuid for match in matches}
    assert all(match.spans for match in matches if match.rule is not hostile)


@pytest.mark.parametrize(
    ("pattern", "spans"),
    [
        (f"x|{CATASTROPHIC}", ((0, 1), (1, 2))),
        (f"x\n{CATASTROPHIC}", ((0, 1), (1, 2))),
        (f"{CATASTROPHIC}\nx", ((0, 1), (1, 2))),
        (f"{CATASTROPHIC}\n!", ((202, 203),)),
    ],
)
def test_a_rule_that_ran_out_of_time_after_a_match_has_matched(pattern: str, spans: tuple[tuple[int, int]]) -> None:
    rule = rule_spec(pattern=pattern)

    matches, faults, _ = quick_detector(rule).scan("xx" + A_RUN + "!")

    assert [(match.rule, match.spans) for match in matches] == [(rule, spans)]
    assert faults == ()


def test_every_span_is_unknown_when_time_runs_out() -> None:
    rule = rule_spec(pattern=f"x\n{CATASTROPHIC}")
    detector = quick_detector(rule)

    assert detector.every_span(rule, "x" + A_RUN) is None
    assert detector.every_span(rule, "xyx") == ((0, 1), (2, 3))


def test_one_scan_ends_in_time_and_says_which_rules_it_did_not_reach() -> None:
    endless = [rule_spec(pattern=CATASTROPHIC) for _ in range(20)]
    late, certain = rule_spec(pattern="a(?!b)"), rule_spec(pattern="a")
    began = time.monotonic()

    matches, faults, _ = RegexDetector([*endless, late, certain], rule_seconds=0.05, scan_seconds=0.2).scan(A_RUN)

    assert time.monotonic() - began < 5
    assert [fault.rule for fault in faults] == [*endless, late]
    assert [(match.rule, match.spans) for match in matches] == [(certain, ())]


def test_a_longer_text_gives_a_rule_more_time_but_no_scan_more_than_a_limit() -> None:
    long = "a" * (20 * USUAL_LENGTH)
    endless = [rule_spec(pattern=CATASTROPHIC, views=Views.RAW) for _ in range(3)]
    began = time.thread_time()

    _, faults, _ = RegexDetector(endless, rule_seconds=0.01, scan_seconds=0.02).scan(long)

    assert len(faults) == 3
    assert 0.1 < time.thread_time() - began < MAX_SCAN_SECONDS


def test_compiling_an_expression_for_the_first_time_costs_its_rule_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(source: str) -> regex.Pattern[str]:
        ends = time.thread_time() + 0.2
        while time.thread_time() < ends:
            pass
        return compile_expression(source)

    rules = [rule_spec(pattern=f"key{number}") for number in range(3)]
    detector = RegexDetector(rules, rule_seconds=0.1, scan_seconds=0.15)
    monkeypatch.setattr(regex_rules, "compile_expression", slowly)

    assert len(detector.scan("key0 key1 key2").matches) == 3
