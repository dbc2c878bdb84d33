"""Patterns made of texts."""

import pytest
import regex

from bastion.engine import Engine
from bastion.engine.dialect import pattern_faults
from bastion.errors import InvalidInput
from bastion.services.rules.from_text import MAX_TEXT, pattern_for
from tests.factories import rule_spec


@pytest.mark.parametrize(
    "text",
    [
        "ignore previous",
        "a.b*c+(d)[e]{2}|f^g$h\\i#j-k&&l~~m",
        "two\nlines\tand \u00a0 blanks",
        "zero\u200bwidth \u202eturned \U000e0041\U000e0042 tag",
        "naïve 😀 שלום 漢字",
        "\x1b[31mred",
        "'\"<b>&amp;",
    ],
)
def test_the_pattern_is_one_valid_line_that_finds_the_text_in_any_case(text: str) -> None:
    pattern = pattern_for(f" {text}\n")

    assert pattern_faults(pattern) == []
    assert "\n" not in pattern
    assert pattern.isprintable()
    assert regex.search(pattern, f"before {text.upper()} after")
    assert [match.matched_text for match in Engine([rule_spec(pattern=pattern)]).scan(f"x {text} y").matches] == [text]


@pytest.mark.parametrize("text", ["", " \n", "x" * (MAX_TEXT + 1)])
def test_a_text_that_makes_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="text: "):
        pattern_for(text)


def test_the_longest_pattern_fits_into_an_address() -> None:
    from urllib.parse import quote

    assert len(quote(pattern_for("\U000e0041" * MAX_TEXT))) < 4000
    assert len(quote(pattern_for("😀" * MAX_TEXT))) < 4000
