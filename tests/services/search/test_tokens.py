"""The search language: what it reads, what it refuses, and that its text and its tokens are the same thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import InvalidInput
from bastion.services.search.tokens import (
    MAX_LENGTH,
    MAX_TOKENS,
    MAX_VALUE,
    Choice,
    Field,
    Token,
    choices,
    free_text,
    parse,
    write,
)

LEVELS = ("low", "medium", "high", "critical")
FIELDS = {
    field.name: field
    for field in (
        Field("status", "the outcome", ("allow", "block")),
        Field("rule", "a rule"),
        Field("source", "the caller"),
        Field("severity", "how bad", LEVELS, ordered=True),
    )
}


def read(text: str) -> tuple[Token, ...]:
    return parse(text, FIELDS)


def test_every_form_of_a_token() -> None:
    assert read('status:BLOCK !rule:"a \\"b\\" \\\\ c" severity:>=high words "two words" !"not: this" source:""') == (
        Token("status", "block"),
        Token("rule", 'a "b" \\ c', negated=True),
        Token("severity", "high", comparison=">="),
        Token("", "words"),
        Token("", "two words"),
        Token("", "not: this", negated=True),
        Token("source", ""),
    )


def test_what_says_the_same_is_one_token_in_one_spelling() -> None:
    assert write(read('  status:Block\tseverity:=high "status:block" rule:"x"  rule:x ')) == (
        'status:block severity:high "status:block" rule:x'
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("stats:block", "stats:block: there is no field 'stats'; there are status, "),
        ("https://example.org", "https://example.org: there is no field 'https'"),
        ("status:blok", "status:blok: status is never 'blok'; there are block, allow"),
        ("status:>=block", "status:>=block: status has no order"),
        ('status:block rule:"open', 'rule:"open: a quote is open'),
        ('a"b" c', 'a"b" c: a quote is open or stands inside'),
        ("rule:", "rule:: rule wants a value"),
        ("!", "!: a text to look for is missing"),
        ('""', '"": a text to look for is missing'),
        ("x" * (MAX_VALUE + 1), f"a value has at most {MAX_VALUE} characters"),
    ],
)
def test_a_wrong_token_is_named_with_what_there_is(text: str, wanted: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)

    (fault,) = caught.value.faults
    assert fault.field == "q"
    assert wanted in fault.message


def test_every_wrong_token_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("nope:1 fine status:x")

    assert [fault.message.split(":")[0] for fault in caught.value.faults] == ["nope", "status"]


def test_a_search_has_an_end() -> None:
    assert len(read(" ".join(f"w{number}" for number in range(MAX_TOKENS)))) == MAX_TOKENS
    for text in (" ".join(f"w{number}" for number in range(MAX_TOKENS + 1)), "x " * MAX_LENGTH):
        with pytest.raises(InvalidInput, match=r"at most|are taken"):
            read(text)


def test_values_of_a_field_are_alternatives_and_comparisons_a_range() -> None:
    asked = choices(read("status:block status:allow severity:>low severity:<critical !source:chat words"), FIELDS)

    assert asked == {
        "status": Choice(("block", "allow")),
        "severity": Choice(("medium", "high")),
        "source": Choice(None, ("chat",)),
    }
    assert choices(read("severity:>=high severity:<=low"), FIELDS)["severity"] == Choice(())
    assert choices(read("!severity:>=high severity:low"), FIELDS)["severity"] == Choice(("low",), ("high", "critical"))
    assert free_text(read("words status:block")) == (Token("", "words"),)


open_values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
tokens = st.one_of(
    st.builds(Token, st.sampled_from(("rule", "source")), open_values, st.booleans()),
    st.builds(Token, st.just(""), open_values.filter(bool), st.booleans()),
    st.builds(Token, st.just("severity"), st.sampled_from(LEVELS), st.booleans(), st.sampled_from(("", ">", "<="))),
)


@given(st.lists(tokens, max_size=8, unique=True))
def test_a_written_search_reads_as_the_same_tokens(search: list[Token]) -> None:
    text = write(search)
    if len(text) <= MAX_LENGTH:
        assert read(text) == tuple(search)
        assert write(read(text)) == text


@given(st.text(max_size=80))
def test_any_text_is_a_search_or_a_named_fault(text: str) -> None:
    try:
        search = read(text)
    except InvalidInput:
        return
    assert read(write(search)) == search
