"""Checks that a regular expression cannot make, alone and behind a rule."""

import base64
import json
from collections.abc import Callable
from random import Random
from string import ascii_letters, ascii_uppercase, digits, hexdigits

import pytest
import regex

from bastion.engine import Engine, Validator
from bastion.engine.detectors.regex_rules import RegexDetector
from bastion.engine.validators import MAX_CHARACTERS, VALIDATORS, accepts
from bastion.engine.views import Uncovering
from tests.factories import rule_spec

CARD, OTHER, WRONG = "4111 1111 1111 1111", "5500 0000 0000 0004", "4111 1111 1111 1112"
CARDS = r"(?<!\d)\d{4}(?:[ -]?\d{4}){3}(?!\d)"
TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().strip("=") for part in ({"alg": "none"}, {})
)


@pytest.mark.parametrize(
    ("validator", "right", "wrong"),
    [
        (
            Validator.LUHN,
            ["4111 1111 1111 1111", "3782-822463-10005", "４１１１ 1111 1111 1111"],
            [WRONG, "0" * 16],
        ),
        (Validator.IBAN, ["GB82 WEST 1234 5698 7654 32", "de89370400440532013000"], ["GB82 WEST 1234 5698 7654 33"]),
        (Validator.IBAN, ["NO93 8601 1117 947"], ["DE8937040044053201300", "ZZ82 WEST 1234 5698 7654 32", "GB"]),
        (Validator.ENTROPY, ["AKIAQ3EGRX7LZ5WN2KTP", "sk-q7Rk2ZxW9vLm4TnB", "api_key = 'f4c1b2d90a7e36c8'"], []),
        (
            Validator.ENTROPY,
            [],
            ["password", "changeme1", "x" * 30 + "1", "AKIAIOSFODNN7EXAMPLE", "2024-01-01", "", "a1"],
        ),
        (Validator.ENTROPY, [], ["correcthorsebattery", "abcdefgh12345678", "your_api_key_12345"]),
        (Validator.JWT, [f"{TOKEN}.x"], ["eyJ.eyJ.x", "e30.e30.x", "[].x.x", ""]),
        (Validator.PUBLIC_IPV4, ["81.2.69.142"], ["10.0.0.1", "127.0.0.1", "203.0.113.9", "1.2.3", "0.0.0.0"]),
        (
            Validator.BASE58CHECK,
            ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
            ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "0" * 30],
        ),
        (Validator.VERHOEFF, ["2363", "4991 1866 5246"], ["2364", "4991 1866 5247", "0000", ""]),
        (Validator.NHS, ["943 476 5919"], ["943 476 5918", "1111111111", "943476591"]),
        (Validator.DNI, ["12345678Z", "X-1234567-L"], ["12345678A", "1234567Z"]),
    ],
)
def test_a_check_tells_right_from_wrong(validator: Validator, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not accepts(validator, text)] == []
    assert [text for text in wrong if accepts(validator, text)] == []


def test_every_name_has_a_check_that_answers_whatever_the_text() -> None:
    odd = [
        "",
        "\0",
        "\ud800",
        "٤" * 16,
        "²" * 16,
        "=",
        ".",
        "é" * 100,
        "1" * MAX_CHARACTERS,
        "[" * 3000 + ".",
        "9" * 5000,
    ]

    assert VALIDATORS.keys() == set(Validator)
    for validator in Validator:
        assert {type(accepts(validator, text)) for text in odd} == {bool}


def test_a_match_that_is_too_long_is_refused() -> None:
    long = "4" * (MAX_CHARACTERS - 16) + "4111111111111111"
    fits = next(long[cut:] for cut in range(20) if VALIDATORS[Validator.LUHN](long[cut:]))
    longer = next("5" * more + fits for more in range(20, 60) if VALIDATORS[Validator.LUHN]("5" * more + fits))

    assert accepts(Validator.LUHN, fits)
    assert not accepts(Validator.LUHN, longer)


@pytest.mark.parametrize(
    ("letters", "length"), [(ascii_uppercase + "234567", 16), (ascii_letters + digits, 32), (hexdigits[:16], 32)]
)
def test_keys_drawn_at_random_are_hardly_ever_taken_for_words(letters: str, length: int) -> None:
    random = Random(7)
    keys = ["".join(random.choice(letters) for _ in range(length)) for _ in range(2000)]

    assert sum(accepts(Validator.ENTROPY, key) for key in keys) >= 1960


@pytest.mark.parametrize(
    "shown",
    [
        str,
        lambda text: text.translate({point: point + 0xFEE0 for point in range(0x30, 0x3A)}),
        lambda text: base64.b64encode(f"the card is {text} and no other".encode()).decode(),
        lambda text: text.encode().hex(),
        "\u200b".join,
    ],
    ids=["raw", "fullwidth", "base64", "hex", "zero-width"],
)
def test_what_a_validator_refuses_is_no_match_in_any_view(shown: Callable[[str], str]) -> None:
    engine = Engine([rule_spec(pattern=CARDS, validator=Validator.LUHN)])

    assert len(engine.scan(f"see {shown(CARD)} now").matches) == 1
    assert engine.scan(f"see {shown(WRONG)} now").matches == ()


def test_only_what_it_accepts_is_reported() -> None:
    text = f"{WRONG}, {CARD}, {WRONG}, {OTHER}."
    rule = rule_spec(pattern=CARDS, validator=Validator.LUHN)
    engine = Engine([rule])
    spans = tuple((start, start + 19) for start in (21, 63))

    (match,) = engine.scan(text).matches
    assert (match.spans, match.matched_text) == (spans, CARD)
    assert engine.every_span(rule, text) == spans


def test_refused_matches_do_not_use_up_the_spans_that_are_reported() -> None:
    engine = Engine([rule_spec(pattern=CARDS, validator=Validator.LUHN)])

    (match,) = engine.scan(f"{WRONG}, " * 100 + CARD).matches
    assert match.matched_text == CARD


def test_it_finds_what_a_loop_with_the_validator_finds() -> None:
    random = Random(3)
    rule = rule_spec(pattern=CARDS, validator=Validator.LUHN)
    detector, search = RegexDetector([rule]), regex.compile(CARDS)
    found = 0
    for _ in range(300):
        numbers = (f"{random.randrange(10**16):016}" for _ in range(random.randrange(1, 12)))
        text = ", ".join("-".join(number[at : at + 4] for at in range(0, 16, 4)) for number in numbers)
        views = list(Uncovering(text))
        assert [view.name for view in views] == ["raw"]
        expected = tuple(one.span() for one in search.finditer(text) if accepts(Validator.LUHN, one.group()))
        matches = detector.scan(text).matches
        assert (matches[0].spans if matches else ()) == expected
        found += bool(expected)
    assert 50 < found < 290


def test_a_rule_with_a_validator_that_runs_out_of_time_has_not_matched() -> None:
    catastrophic = r"(?:a|aa)+b"
    text = "a" * 5000
    sure, unsure = rule_spec(pattern=r"a{3}"), rule_spec(pattern=r"(?:a|aa)+", validator=Validator.LUHN)
    detector = RegexDetector([sure, unsure, rule_spec(pattern=catastrophic)], rule_seconds=0.0, scan_seconds=0.0)

    matches, faults, _ = detector.scan(text)
    assert [match.rule for match in matches] == [sure]
    assert unsure in [fault.rule for fault in faults]


def test_a_million_refused_matches_end_in_time() -> None:
    detector = RegexDetector([rule_spec(pattern=r"\d{8}", validator=Validator.LUHN)], rule_seconds=0.02)

    matches, faults, _ = detector.scan("11111111 " * 110_000)
    assert matches == ()
    assert len(faults) == 1


def test_categories_that_are_left_out_are_not_asked() -> None:
    engine = Engine(
        [rule_spec(pattern="abc", category="PII"), rule_spec(pattern="abc"), rule_spec(pattern="abc", category=None)]
    )

    assert [match.rule.category for match in engine.scan("abc", without={"pii"}).matches] == ["injection", None]
    assert [match.rule.category for match in engine.explain("abc", without={"pii"}).verdict.matches] == [
        "injection",
        None,
    ]
    assert len(engine.scan("abc").matches) == 3
