"""A text for an expression: found by it, or none at all."""

import time

import pytest

from bastion.engine.dialect import read_expression
from bastion.engine.rules import pattern_lines
from bastion.engine.witness import witness
from bastion.services.rules.transfer import RULEPACK, read_rules

SHIPPED = sorted({line for filed in read_rules(RULEPACK).rules for _, line in pattern_lines(filed.spec.pattern)})


@pytest.mark.parametrize(
    "pattern",
    [
        "plain",
        "(?i)ignore",
        "привет",
        "😀",
        "\ud800",
        r"\x00",
        "a.b",
        "(?s)a.b",
        "[abc]x",
        "[^abc]x",
        "[^a-z]x",
        r"[^\w\s]",
        r"[^\x00-\x7f]x",
        r"\d\D\s\S\w\W",
        r"[\d-]{3}",
        "a{3}b{2,}c?d*e+?",
        "(?:a|bc|)d",
        "(?:a{2}){3}",
        "a{50000}",
        "^a$",
        r"\Aa\Z",
        r"\bkey\b",
        r"key\b.{0,3}\bvalue",
        r"\bgo\b[^\n]{1,20}\bhome\b",
        "(?m)^a$\n^b",
        "a$\n",
        "x(?-i:Y)",
        "a++b",
        "(?>ab|a)c",
        r"(a|b)\1",
        r"(?P<n>a+)-(?P=n)",
        "(a)?(?(1)b|c)",
        "(a)(?(1)b)",
        "(?=a)a",
        "(?!b)a",
        "(?<!b)a",
        r"\w+(?<!x)y",
        "(?x) a b # c",
        r"(?a)\w\W",
        r"\U0010ffff[\ud800-\udfff]",
        r"[가-힣]{2}",
    ],
)
def test_a_witness_is_found_by_its_expression(pattern: str) -> None:
    expression = read_expression(pattern)

    text = witness(expression)

    assert text is not None
    assert expression.compiled.search(text)


@pytest.mark.parametrize(
    "pattern", [r"a\bb", "(?!a)a", "b^a", "a$b", r"a\Zb", r"[^\x00-\U0010ffff]a", "(?>a+)a", "a++a", r"(?<!\b)\bx"]
)
def test_what_nothing_satisfies_has_no_witness(pattern: str) -> None:
    assert witness(read_expression(pattern)) is None


def test_what_must_stand_around_is_left_to_luck() -> None:
    assert witness(read_expression("(?=secret)")) is None
    assert witness(read_expression("(?<=password: )hunter")) is None


def test_every_call_gives_the_same_witness() -> None:
    assert {witness(read_expression(r"[a-z]{8}\d+")) for _ in range(3)} == {witness(read_expression(r"[a-z]{8}\d+"))}


@pytest.mark.parametrize("pattern", ["(a+)+$x", "(?:a|aa)+$b(?!b)c|(a|aa){30}$(?!a)d", r"(\w+\s?)*\bx\by"])
def test_a_catastrophic_expression_is_given_up_in_time(pattern: str) -> None:
    began = time.thread_time()

    witness(read_expression(pattern))

    assert time.thread_time() - began < 3


def test_references_do_not_multiply_a_witness() -> None:
    """Four groups of a thousand repeats each would be a witness of a terabyte."""
    text = witness(read_expression(r"(a{100})(\1{100})(\2{100})b"))

    assert text is None or len(text) < 500_000


def test_nearly_all_shipped_expressions_have_a_witness() -> None:
    witnesses = {line: witness(read_expression(line)) for line in SHIPPED}

    for line, text in witnesses.items():
        assert text is None or read_expression(line).compiled.search(text), line
    without = [line for line, text in witnesses.items() if text is None]
    assert len(without) <= 0.05 * len(SHIPPED), without
