"""Texts beyond ASCII that need no look for disguises."""

import random

import pytest

from bastion.engine.views import unicode_forms
from bastion.engine.views.unicode_forms import folded, is_plain, normalised


@pytest.mark.parametrize("text", ["naïve", "\u200b", "ⅷ", "а", "ａ", "e\u0301", "\ud800", "\U000e0061", "한\u1161"])
def test_what_may_look_like_another_is_not_plain(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize("text", ["", "ascii", "漢字", "한국어", "жф", "日本の"])
def test_what_is_always_itself_is_plain(text: str) -> None:
    assert is_plain(text)


def test_a_plain_text_has_no_other_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every code point alone, one of eleven; and those that are plain in rows."""
    plain = [character for character in map(chr, range(0x80, 0x110000, 11)) if is_plain(character)]
    dice = random.Random(1)
    rows = ["".join(dice.choices(plain, k=6)) for _ in range(5000)]
    assert len(plain) > 10_000
    monkeypatch.setattr(unicode_forms, "is_plain", lambda _text: False)

    assert [text for text in ["".join(plain), *rows] if [*normalised(text), *folded(text)]] == []
