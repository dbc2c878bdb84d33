"""The tables: ASCII and surrogates are left alone, and what is alike is folded alike."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.engine.views.code_points import REMOVED, joining, shown, to_points, to_text
from bastion.engine.views.lookalikes import lookalikes, shown_as_letters

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@given(st.text(st.characters(exclude_categories=())))
def test_a_text_is_its_code_points(text: str) -> None:
    assert to_points(text).tolist() == list(map(ord, text))
    assert to_text(to_points(text)) == text


@pytest.mark.parametrize("table", [shown, shown_as_letters, lookalikes])
def test_ascii_ideographs_syllables_and_surrogates_stay(table: object) -> None:
    assert callable(table)
    for first, last in ((0, 0x7F), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xD800, 0xDFFF)):
        assert (table()[first : last + 1] == np.arange(first, last + 1)).all()


def test_what_is_removed_is_invisible_and_the_rest_of_it_is_not() -> None:
    removed = np.flatnonzero(shown() == REMOVED)

    assert {0xAD, 0x200B, 0x200D, 0x202E, 0x2060, 0x3164, 0xFE0F, 0xFEFF, 0xE0001, 0xE007F} <= set(removed.tolist())
    assert {unicodedata.category(chr(point)) for point in removed} <= {"Cf", "Mn", "Lo", "Cn"}
    # Signs that stand before Arabic numbers are of the same category, and seen.
    assert shown()[0x600] == 0x600


@pytest.mark.parametrize(
    "alphabet",
    [
        "аьсԁеғɡһіјкӏмпорԛгѕтцѵшхуz",
        "αβ¢δεƒɡђιјκłмηορɋяѕτυνωχγζ",
        "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ",
        "₳฿₵ĐɆ₣₲ⱧłɈ₭Ⱡ₥₦Ø₱ɊⱤ₴₮ɄVⱲӾɎⱫ",
        "ɐƀɔđǝɟƃɥɨɾʞłɯŋøþʠɹʂʇʉʌʍχʎȥ",
        "🅐🅑🅒🅓🅔🅕🅖🅗🅘🅙🅚🅛🅜🅝🅞🅟🅠🅡🅢🅣🅤🅥🅦🅧🅨🅩",
    ],
)
def test_fancy_alphabets_are_read(alphabet: str) -> None:
    read = to_text(lookalikes()[to_points(alphabet)]).lower()

    assert len(read) == 26
    assert sum(one == letter for one, letter in zip(read, ALPHABET, strict=True)) >= 22


@given(st.text(max_size=6), st.text(max_size=6))
def test_a_text_may_be_normalised_in_parts_where_nothing_joins(before: str, behind: str) -> None:
    if behind and not joining()[ord(behind[0])]:
        parts = [unicodedata.normalize("NFKC", part) for part in (before, behind)]
        assert unicodedata.normalize("NFKC", before + behind) == "".join(parts)


def test_every_pair_that_composes_joins() -> None:
    for point in range(0x80, 0x20000):
        parts = unicodedata.normalize("NFD", chr(point))
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == chr(point):
            assert all(joining()[ord(part)] for part in parts[1:])
