"""One byte a code point, of the class that the ``regex`` module gives the character."""

import unicodedata

import numpy as np
import pytest
import regex

from bastion.engine.projection import ASCII, END, Alphabet, Projected, classes, project, table

EVERYTHING = "".join(map(chr, range(0x110000)))
TABLE = np.frombuffer(table(), np.uint8)
SCRIPTS = np.frombuffer(table(Alphabet.SCRIPTS), np.uint8)


def matching(expression: str, text: str) -> np.ndarray:
    """For each character of a text, whether the expression matches it."""
    found = np.zeros(len(text), bool)
    for run in regex.finditer(f"(?:{expression})+", text):
        found[run.start() : run.end()] = True
    return found


def test_every_code_point_has_a_byte_and_ascii_is_itself() -> None:
    assert len(TABLE) == 0x110000
    assert table()[:128] == ASCII.encode("ascii") == bytes(range(128))
    assert not set(END) & set(table())


@pytest.mark.parametrize("kind", [r"\w", r"\d"])
def test_what_is_of_a_word_and_what_is_a_digit_is_so_in_ascii_too(kind: str) -> None:
    """No byte beyond ASCII is either to a byte matcher, so that its word boundaries are the module's."""
    of_character = matching(kind, EVERYTHING)
    of_byte = np.concatenate([matching(kind, ASCII), np.zeros(128, bool)])[TABLE]

    assert np.flatnonzero(of_character != of_byte).tolist() == []
    assert of_character[128:].any()


def test_no_byte_stands_for_white_space_and_for_anything_else() -> None:
    blank = matching(r"\s", EVERYTHING)

    assert blank[128:].any()
    assert not set(TABLE[blank]) & set(TABLE[~blank])


def test_a_digit_is_its_value() -> None:
    for digit in regex.findall(r"\d", EVERYTHING):
        if (value := unicodedata.decimal(digit, None)) is not None:
            assert project(digit) == str(value).encode() + END
    assert project("٤２𝟗") == b"429" + END


def test_what_case_insensitive_matching_equates_with_a_letter_is_that_letter() -> None:
    assert project("\u212aſıİ") == b"ksii" + END
    alike = regex.findall("[a-zA-Z]", EVERYTHING[128:], regex.I)
    assert set(alike) == set("\u212aſıİ")
    for character in alike:
        letter = chr(project(character)[0])
        assert regex.match(f"[{letter}{letter.upper()}]", character, regex.I)


def test_no_other_character_is_a_digit_of_hexadecimal_or_a_lowercase_letter() -> None:
    beyond = TABLE[128:][~matching(r"\d", EVERYTHING[128:])]

    assert set(map(chr, np.unique(beyond))) & set("0123456789abcdefABCDEF") == set()
    assert {chr(byte) for byte in np.unique(beyond[beyond < 128]) if chr(byte).islower()} == set("ksi")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ascii",
        "".join(map(chr, range(128))),
        "naïve caf\u00e9 привет",
        "日本\u3000語",
        "😀 astral \U0010ffff",
        "\ud800 lone \udfff",
        "\udc00\ud800 the wrong way round",
        "\U0001f600"[0] + "\ud83d\ude00",
    ],
)
def test_a_projection_has_one_byte_for_each_code_point_and_an_end(text: str) -> None:
    projected = project(text)

    assert projected.endswith(END)
    assert len(projected) == len(text) + len(END)
    assert list(projected[: len(text)]) == [table()[ord(character)] for character in text]


def test_the_classes_are_the_code_points_beyond_ascii_by_their_byte() -> None:
    assert sum(map(len, classes().values())) == 0x110000 - 128
    for byte, members in classes().items():
        points = np.frombuffer(members.encode("utf-32-le", "surrogatepass"), np.uint32)
        assert (TABLE[points] == byte).all()
        assert points.min() >= 128


def test_among_scripts_only_a_few_letters_share_a_byte_with_ascii() -> None:
    beyond = SCRIPTS[128:]

    assert table(Alphabet.SCRIPTS)[:128] == ASCII.encode("ascii")
    assert not set(END) & set(beyond.tolist())
    assert "".join(EVERYTHING[128 + at] for at in np.flatnonzero(beyond < 128)) == "İıſ\u212a"


def test_scripts_share_no_byte() -> None:
    alphabets = (
        "áéíóúñß",
        "абвгдежзиклмн",
        "αβγδεζη",
        "忽略所有之前的指令",
        "あいうえお",
        "アイウエオ",
        "지시를무시",
        "تجاهل",
        "\u200b",
        "😀",
    )
    used = [set(project(alphabet, Alphabet.SCRIPTS)) - set(END) for alphabet in alphabets]

    assert sum(map(len, used)) == len(set().union(*used))


def test_a_text_is_projected_to_either_alphabet() -> None:
    assert Projected("key").words == Projected("key").scripts == b"key" + END
    both = Projected("key ключ")
    assert both.words == project("key ключ")
    assert both.scripts == project("key ключ", Alphabet.SCRIPTS) != both.words
