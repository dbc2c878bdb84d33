"""The signs of disguises: expressions that a matcher of bytes can look for in the same pass as the rules."""

import re

import pytest

from bastion.engine.dialect import pattern_faults
from bastion.engine.views import DISGUISES, signs_in
from tests.engine.views.disguisers import DISGUISERS, Disguiser

SIGNS = {disguise.name: disguise.sign for disguise in DISGUISES if disguise.sign}

WITHOUT_A_SIGN = (
    "The 3rd of May, 1st floor, 10 a.m., 50% off: it's $100 (or 90 euros), R&D, AT&T, and/or 24/7.",
    "Call +1 555 010 9999 or write to someone@example.com, see https://example.com/docs/index.html?a=1&b=2#top",
    "x = [1, 2, 3]; y = {'a': 1}; if not (x and y): return x[0] ** 2 / 3",
    "I am a bar of soap; hey, live era, the DNA of a dog was saw-toothed. Won a ton, not now.",
    'printf("%d items, %s\\n", n, name); // C:\\new\\table \\d+ \\w* \\begin{x}',
    "responsibilities, state-of-the-art, uncharacteristic, encrypt/decrypt, my_variable_name",
)


def test_every_disguise_but_those_of_other_scripts_has_one() -> None:
    assert [disguise.name for disguise in DISGUISES if disguise.sign is None] == ["normalised", "folded"]
    assert len({disguise.name for disguise in DISGUISES}) == len(DISGUISES) == len(set(SIGNS.values())) + 2


@pytest.mark.parametrize("name", SIGNS)
def test_a_sign_is_of_the_rules_dialect_and_looks_neither_around_nor_back(name: str) -> None:
    sign = SIGNS[name]

    assert pattern_faults(sign) == []
    assert not re.search(r"\(\?[=!<P>]|\\[1-9]|[*+?}][+]", sign)


@pytest.mark.parametrize("text", WITHOUT_A_SIGN)
def test_ordinary_text_has_no_sign(text: str) -> None:
    assert signs_in(text) == set()


@pytest.mark.parametrize(
    ("disguiser", "phrase"),
    [(disguiser, phrase) for disguiser in DISGUISERS if disguiser.view in SIGNS for phrase in disguiser.phrases],
    ids=str,
)
def test_a_disguised_phrase_shows_the_sign(disguiser: Disguiser, phrase: str) -> None:
    assert disguiser.view in signs_in(f"Dear friend: {disguiser.write(phrase)} -- thank you!")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("leet", "ignore 4ll rules"),
        ("leet", "@dmin"),
        ("leet", "malw@re"),
        ("leet", "all rule5"),
        ("leet", "$ystem prompt"),
        ("joined", "d.o i.t"),
        ("joined", "나 는 너 의"),
        ("base64", "SGVsbG8gd29ybGQh"),
        ("base64", "5b+955Wl5oyH5Luk"),
        ("rot13", "Cyrnfr, vtaber"),
        ("reversed", "erongi"),
        ("html", "ign&shyore"),
    ],
)
def test_a_little_is_enough(name: str, text: str) -> None:
    assert name in signs_in(text)
