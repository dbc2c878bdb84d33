"""A rule is saved only if every field of it can be stored and run; each fault names its field."""

from typing import Any

import pytest

from bastion.engine import RuleSpec
from bastion.engine.validation import MAX_LENGTH, MAX_TEXT, check_rule
from bastion.errors import FieldFault, InvalidRule
from tests.factories import rule_spec

SINGLE_LINES = ("uuid", "name", "language", "category", "cwe_id", "author")
OPTIONAL = ("category", "cwe_id", "author")
LISTS = ("tags", "references", "false_positives")


def faults_of(rule: RuleSpec) -> tuple[FieldFault, ...]:
    with pytest.raises(InvalidRule) as caught:
        check_rule(rule)
    return caught.value.faults


def fault_of(field: str, value: Any) -> str:
    """What is wrong with that value in a rule that is right otherwise: one fault, of that field."""
    (fault,) = faults_of(rule_spec(**{field: value}))
    assert fault.field == field
    return fault.message


def test_a_rule_with_everything_is_accepted() -> None:
    check_rule(
        rule_spec(
            cwe_id="CWE-94",
            author="Анна",
            tags=("LLM01:2025", "AML.T0051.000"),
            references=("https://example.org/a?b=c",),
            false_positives=("Quoting 'ignore previous' in a lesson",),
        )
    )


def test_a_rule_with_the_least_is_accepted() -> None:
    check_rule(rule_spec(severity=None, category=None))


def test_longest_values_are_accepted() -> None:
    longest = {field: "é" * limit for field, limit in MAX_LENGTH.items() if field != "language"}
    lists = dict.fromkeys(LISTS, ("é" * (MAX_TEXT - 1), "é"))

    check_rule(rule_spec(**longest, **lists, details="é" * MAX_TEXT, pattern="é" * MAX_TEXT))


@pytest.mark.parametrize("field", [*SINGLE_LINES, "details", "pattern"])
@pytest.mark.parametrize("empty", ["", "  ", "\t\n"])
def test_no_field_may_be_empty(field: str, empty: str) -> None:
    assert fault_of(field, empty) == "must not be empty"


@pytest.mark.parametrize("field", [*SINGLE_LINES, "details", "pattern"])
def test_a_value_that_is_too_long_names_its_limit(field: str) -> None:
    limit = MAX_LENGTH.get(field, MAX_TEXT)

    assert fault_of(field, "a" * (limit + 1)) == f"has {limit + 1} characters, at most {limit} are kept"


@pytest.mark.parametrize("field", [*SINGLE_LINES, "details", "pattern"])
@pytest.mark.parametrize(("character", "name"), [("\0", "U+0000"), ("\ud800", "U+D800"), ("\udfff", "U+DFFF")])
def test_a_character_that_cannot_be_stored_is_named(field: str, character: str, name: str) -> None:
    assert name in fault_of(field, f"a{character}b")


@pytest.mark.parametrize("field", [field for field in SINGLE_LINES if field != "language"])
def test_a_short_field_is_a_single_line(field: str) -> None:
    assert fault_of(field, "a\nb") == "must be printable characters in a single line"


@pytest.mark.parametrize("field", ["details", "pattern"])
def test_a_long_field_may_have_lines(field: str) -> None:
    check_rule(rule_spec(**{field: "a\nb"}))


@pytest.mark.parametrize("field", OPTIONAL)
def test_what_is_optional_may_be_left_out(field: str) -> None:
    check_rule(rule_spec(**{field: None}))


@pytest.mark.parametrize("field", LISTS)
@pytest.mark.parametrize(
    ("items", "message"),
    [
        (("ok", ""), "none of them empty"),
        (("ok", " \t"), "none of them empty"),
        (("ok", "a\nb"), "one entry a line"),
        (("ok", "a\0b"), "cannot be stored"),
        (("ok", "\ud83d"), "cannot be stored"),
        (("a" * MAX_TEXT, "b"), f"more than {MAX_TEXT} characters in all"),
    ],
)
def test_lists_hold_storable_single_lines(field: str, items: tuple[str, ...], message: str) -> None:
    assert message in fault_of(field, items)


@pytest.mark.parametrize("language", ["sigma", "LLM-REGEX-PATTERN", "llm-regex-pattern "])
def test_an_unknown_language_lists_the_known_ones(language: str) -> None:
    assert fault_of("language", language) == "is not one that runs here: llm-regex-pattern, nova"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("ok\na(b", "line 2, column 4: "),
        ("a*", "line 1, column 1: matches the empty text"),
        (r"\p{L}", "line 1, column 1: Python's re says"),
        ("(?V1)a", "line 1, column 1: "),
    ],
)
def test_a_bad_pattern_names_its_place(pattern: str, message: str) -> None:
    assert fault_of("pattern", pattern).startswith(message)


def test_several_faults_are_told_at_once() -> None:
    faults = faults_of(
        rule_spec(name="", details="a\0b", pattern="a(b", category="c" * 101, tags=("",), references=("ok",))
    )

    assert [fault.field for fault in faults] == ["name", "details", "category", "tags", "pattern"]


def test_the_error_reads_as_one_sentence_a_fault() -> None:
    with pytest.raises(
        InvalidRule, match=r"^name: must not be empty; author: must be printable characters in a single line$"
    ):
        check_rule(rule_spec(name=" ", author="a\nb"))
