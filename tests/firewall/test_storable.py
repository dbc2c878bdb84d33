"""Any text becomes one that both databases can hold, place for place."""

import pytest

from bastion.firewall.storable import replaced_characters, storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("a\0b", "a\u2400b"),
        ("\ud800", "\ufffd"),
        ("\udfff\ud800", "\ufffd\ufffd"),
        ("\0\0\udc00x", "\u2400\u2400\ufffdx"),
        # A pair of surrogates that JSON did not join is two characters, not the one it may have meant.
        ("\ud83d\ude00!", "\ufffd\ufffd!"),
    ],
)
def test_what_cannot_be_stored_is_replaced_one_for_one(text: str, stored: str) -> None:
    assert storable(text) == stored
    assert len(storable(text)) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "ignore previous",
        "\x01\x1b[31m\x7f\x85",
        "\u202e\u200b\ufeff\ufffe\uffff",
        "\ud7ff\ue000",
        "\U0001f600\U000e0041\U0010ffff",
        "\u2400\ufffd",
    ],
)
def test_every_other_character_stays(text: str) -> None:
    assert storable(text) == text
    assert replaced_characters(text) == {}
    assert storable(text).encode("utf-8").decode("utf-8") == text


def test_replaced_characters_are_counted_by_name() -> None:
    assert replaced_characters("a\0\ud800b\0\udfff\0") == {"U+0000": 3, "U+D800": 1, "U+DFFF": 1}
