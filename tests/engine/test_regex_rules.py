"""One regular expression a line: what matches, where, and which patterns may not be saved."""

import re

import pytest

from bastion.engine import RuleSpec
from bastion.engine.detectors.regex_rules import RegexDetector, pattern_faults
from bastion.engine.verdict import Match
from tests.factories import rule_spec

CATASTROPHIC = "(a|aa)+$"
NEVER_ENDS = "a" * 200 + "!"


def matches_of(pattern: str, text: str) -> tuple[Match, ...]:
    detector = RegexDetector([rule_spec(pattern=pattern), rule_spec(pattern="never in the text")])
    assert detector.rejected == ()
    matches, faults = detector.scan(text)
    assert faults == ()
    return matches


def spans_of(pattern: str, text: str) -> tuple[tuple[int, int], ...]:
    found = matches_of(pattern, text)
    return found[0].spans if found else ()


def quick_detector(*rules: RuleSpec) -> RegexDetector:
    return RegexDetector(rules, timeout_seconds=0.05)


@pytest.mark.parametrize(
    ("pattern", "text", "spans"),
    [
        ("first\nsecond", "the second", ((4, 10),)),
        ("first\nsecond", "second, first", ((0, 6), (8, 13))),
        ("first\nsecond", "first\nsecond", ((0, 5), (6, 12))),
        ("first\nsecond", "neither", ()),
        ("\n\n  \nfirst\n\n", "a first", ((2, 7),)),
        ("first\r\nsecond\r\n", "first second", ((0, 5), (6, 12))),
        (" a ", "a a a", ((1, 4),)),
        ("a\u2028b\nc", "a\u2028b", ((0, 3),)),
        ("a\u0085b", "b", ()),
    ],
)
def test_any_line_of_a_pattern_matches(pattern: str, text: str, spans: tuple[tuple[int, int], ...]) -> None:
    assert spans_of(pattern, text) == spans


@pytest.mark.parametrize(
    ("pattern", "text", "spans"),
    [
        ("drop", "DROP", ()),
        ("(?i)drop", "DROP", ((0, 4),)),
        ("(?i)drop\ntable", "DROP TABLE", ((0, 4),)),
        ("a.b", "a\nb", ()),
        ("(?s)a.b", "a\nb", ((0, 3),)),
        ("^b", "a\nb", ()),
        ("(?m)^b", "a\nb", ((2, 3),)),
        ("a b", "ab", ()),
        ("(?x)a b", "ab", ((0, 2),)),
    ],
)
def test_a_flag_counts_only_where_it_is_written(pattern: str, text: str, spans: tuple[tuple[int, int], ...]) -> None:
    assert spans_of(pattern, text) == spans


def test_spans_of_all_lines_come_sorted_and_once() -> None:
    assert spans_of("c+\na\n[ab]\nabc", "abcc a") == ((0, 1), (0, 3), (1, 2), (2, 4), (5, 6))


def test_at_most_twenty_spans_are_the_first_of_all_lines() -> None:
    assert spans_of("b\na", "ab" * 30) == tuple((at, at + 1) for at in range(20))


def test_the_text_of_the_first_match_is_cut_at_a_thousand_characters() -> None:
    (match,) = matches_of("z\nä+", "--" + "ä" * 1001 + "z")

    assert match.matched_text == "ä" * 1000
    assert match.spans == ((2, 1003), (1003, 1004))
    assert matches_of("ä+", "ä" * 1000)[0].matched_text == "ä" * 1000


def test_an_empty_match_is_a_match() -> None:
    (match,) = matches_of("(?=key)", "a key, a key")

    assert (match.spans, match.matched_text) == (((2, 2), (9, 9)), "")


@pytest.mark.parametrize(
    ("pattern", "text", "span"),
    [
        ("игнорируй", "Да: игнорируй", (4, 13)),
        ("[а-я]+", "x привет", (2, 8)),
        (r"\w+", "\U0001f600éß", (1, 3)),
        ("\U0001f600", "a\U0001f600", (1, 2)),
        ("\ud800", "a\ud800b", (1, 2)),
        ("b", "\udfff\ud800b", (2, 3)),
        (r"\x00", "a\0b", (1, 2)),
        (r"\ud800", "a\ud800b", (1, 2)),
        ("(?i)STRASSE", "straße strasse", (7, 14)),
    ],
)
def test_spans_count_code_points_of_any_text(pattern: str, text: str, span: tuple[int, int]) -> None:
    (match,) = matches_of(pattern, text)

    assert match.spans == (span,)
    assert match.matched_text == text[span[0] : span[1]]


@pytest.mark.parametrize(
    ("pattern", "text"), [(CATASTROPHIC, NEVER_ENDS), ("(a+)+$", "a" * 50_000 + "!"), (r"(a|a)+\d", NEVER_ENDS)]
)
def test_a_rule_that_takes_too_long_is_a_fault_and_the_others_still_match(pattern: str, text: str) -> None:
    before, endless, after = rule_spec(pattern="a!"), rule_spec(pattern=pattern), rule_spec(pattern="!")

    matches, faults = quick_detector(before, endless, after).scan(text)

    assert [match.rule for match in matches] == [before, after]
    assert [fault.rule for fault in faults] == [endless]
    assert faults[0].reason == f"ran out of time on a text of {len(text)} characters"


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

    matches, faults = quick_detector(rule).scan("xx" + NEVER_ENDS)

    assert [(match.rule, match.spans) for match in matches] == [(rule, spans)]
    assert faults == ()


def test_every_span_has_no_limit() -> None:
    rule = rule_spec(pattern="b\na\n[ab]")
    detector = RegexDetector([rule, rule_spec(pattern="ab")])

    assert detector.every_span(rule, "ab" * 30) == tuple((at, at + 1) for at in range(60))
    assert detector.every_span(rule, "nothing") == ()


def test_every_span_is_unknown_when_time_runs_out() -> None:
    rule = rule_spec(pattern=f"x\n{CATASTROPHIC}")
    detector = quick_detector(rule)

    assert detector.every_span(rule, "x" + NEVER_ENDS) is None
    assert detector.every_span(rule, "xaa") == ((0, 1), (1, 3))


# The last three are refused by the regex module with a plain ValueError.
@pytest.mark.parametrize(
    "broken", ["a(b", "\n\n", "ok\n[", r"\1", "(" * 5000 + "a" + ")" * 5000, "(?V1)a", "(?au)a", "(?La)a"]
)
def test_a_rule_that_does_not_compile_is_left_out_and_the_others_run(broken: str) -> None:
    first, wrong, last = rule_spec(pattern="ok"), rule_spec(pattern=broken), rule_spec(pattern="k")

    detector = RegexDetector([first, wrong, last])

    assert [fault.rule for fault in detector.rejected] == [wrong]
    assert detector.rejected[0].reason.startswith("line ")
    matches, faults = detector.scan("ok")
    assert ([match.rule for match in matches], faults) == ([first, last], ())


@pytest.mark.parametrize(
    ("pattern", "line", "column"),
    [
        ("a(b", 1, 4),
        ("ok\na)b", 2, 2),
        ("\r\n\r\nok\r\na**", 4, 3),
        ("*a", 1, 1),
        ("x{3,1}", 1, 3),
        ("(?P<n>a", 1, 8),
        ("a\\", 1, 3),
        ("é[z-a]", 1, 6),
        ("ok\n\n(?P=x)", 3, 4),
        (r"\x", 1, 3),
        ("a{99999999999}", 1, 1),
        ("(" * 5000 + "a" + ")" * 5000, 1, 1),
        ("(?V1)a", 1, 1),
        ("ok\n(?au)a", 2, 1),
    ],
)
def test_a_broken_pattern_names_the_place_of_its_fault(pattern: str, line: int, column: int) -> None:
    (fault,) = pattern_faults(pattern)

    assert (fault.line, fault.column) == (line, column)
    assert fault.reason
    assert str(fault) == f"line {line}, column {column}: {fault.reason}"


def test_every_line_that_is_broken_is_named() -> None:
    assert [(fault.line, fault.column) for fault in pattern_faults("a(\nfine\n\nb*\n[c")] == [(1, 3), (4, 1), (5, 3)]


@pytest.mark.parametrize(
    ("pattern", "place", "reason"),
    [
        ("", (1, 1), "at least one"),
        (" \n\r\n\t", (1, 1), "at least one"),
        ("a*", (1, 1), "empty text"),
        ("ok\na|", (2, 1), "empty text"),
        ("^", (1, 1), "empty text"),
        ("(?=)", (1, 1), "empty text"),
        ("a{e<=1}", (1, 2), "fuzzy"),
        ("ok\n(?:foo){i<=1,d}", (2, 8), "fuzzy"),
        ("(?:foo){s}", (1, 8), "fuzzy"),
        (r"\\{e}", (1, 3), "fuzzy"),
        ("(?:a){2i+2d+1s<=4}", (1, 6), "fuzzy"),
        ("(?:a){e<=1:[a-z]}", (1, 6), "fuzzy"),
        (r"\p{L}", (1, 1), "re says"),
        ("(?<n>a)", (1, 2), "re says"),
        ("ok\na(?i)b", (2, 2), "re says"),
        (r"a\Kb", (1, 2), "re says"),
        ("(?<=a+)b", (1, 1), "re says"),
        ("[[a]]", (1, 2), "re warns"),
        ("[[:alpha:]]", (1, 2), "re warns"),
        ("ok\n[a&&b]", (2, 3), "re warns"),
        ("[a||b]", (1, 3), "re warns"),
        ("a\0b", (1, 2), "NUL"),
        ("ok\nab\0", (2, 3), "NUL"),
    ],
)
def test_a_pattern_that_would_mislead_is_refused(pattern: str, place: tuple[int, int], reason: str) -> None:
    (fault,) = pattern_faults(pattern)

    assert re.search(reason, fault.reason)
    assert (fault.line, fault.column) == place


@pytest.mark.parametrize(
    "pattern",
    [
        "ok",
        "\nok\r\n\n",
        r"\{e}",
        r"\\\{e}",
        "a{2,3}",
        r"\bword\b",
        "(?=a)",
        "(?>a)b++",
        r"(?P<n>a)(?P=n)",
        r"\x00",
        r"[\[\]]",
        "(?i)ignore (?-i:NOW)",
        "привет",
        "(?u)a",
    ],
)
def test_a_pattern_of_the_dialect_is_accepted_and_runs(pattern: str) -> None:
    assert pattern_faults(pattern) == []

    assert RegexDetector([rule_spec(pattern=pattern)]).rejected == ()


@pytest.mark.parametrize(
    "bomb",
    [
        "(?:(?:(?:a{1000}){1000}){1000}){1000}",
        "((((a?){50}){50}){50}){50}",
        "(?:a{400}|b){400}",
        "(?=(?:a{1000}){1000})b",
        "((a{2,500}){3,500})x+",
    ],
)
def test_a_pattern_that_would_fill_the_memory_is_refused_and_never_compiled(bomb: str) -> None:
    (fault,) = pattern_faults(bomb)

    assert "repeats too much" in fault.reason
    assert RegexDetector([rule_spec(pattern=bomb)]).rejected[0].reason.endswith(fault.reason)


def test_one_scan_ends_in_time_and_says_which_rules_it_did_not_reach() -> None:
    endless = [rule_spec(pattern=CATASTROPHIC) for _ in range(20)]
    last = rule_spec(pattern="a")

    matches, faults = RegexDetector([*endless, last], timeout_seconds=0.05, scan_seconds=0.2).scan(NEVER_ENDS)

    assert matches == ()
    assert [fault.rule for fault in faults] == [*endless, last]
