"""Texts in pieces."""

import pytest

from bastion.web.marked_text import MAX_PIECES, MAX_SHOWN, Mark, mark, numbered, visible


def cut(text: str, *marks: Mark) -> list[tuple[str, tuple[str, ...]]]:
    """Each piece's text and labels."""
    return [(piece.token or piece.text, piece.labels) for piece in mark(text, marks).pieces]


def test_marks_that_overlap_share_what_they_share() -> None:
    marks = Mark(0, 4, "one"), Mark(2, 6, "two"), Mark(2, 6, "two")

    assert cut("abcdef", *marks) == [("ab", ("one",)), ("cd", ("one", "two")), ("ef", ("two",))]


def test_each_mark_opens_once_and_the_worst_severity_shows() -> None:
    low, high = Mark(0, 4, "low", "low", 1, 1), Mark(2, 6, "high", "HIGH", 2, 1)

    pieces = mark("abcdefg", [low, high]).pieces

    assert [(piece.opening, piece.severity, piece.at) for piece in pieces] == [
        ((low,), "low", 0),
        ((high,), "high", 2),
        ((), "high", 4),
        ((), "other", 6),
    ]


def test_a_mark_within_which_something_is_hidden_opens_once() -> None:
    one = Mark(0, 3, "one")

    assert [piece.opening for piece in mark("\u200bab", [one]).pieces] == [(one,), ()]
    assert [piece.opening for piece in mark("a\u200bb", [one]).pieces] == [(one,), (), ()]


def test_marks_of_a_match_are_numbered_by_their_places() -> None:
    assert numbered([[0, 1], (4, 5)], "x", None, 7) == [Mark(0, 1, "x", None, 7, 1), Mark(4, 5, "x", None, 7, 2)]


@pytest.mark.parametrize("given", [Mark(-1, 2, "x"), Mark(2, 2, "x"), Mark(3, 1, "x"), Mark(99, 100, "x")])
def test_a_mark_that_is_nowhere_marks_nothing(given: Mark) -> None:
    assert cut("abc", given) == [("abc", ())]


def test_a_mark_may_reach_beyond_the_end() -> None:
    assert cut("abc", Mark(1, 99, "x")) == [("a", ()), ("bc", ("x",))]


@pytest.mark.parametrize(
    ("hidden", "name", "kind"),
    [
        ("\u200b", "U+200B ZERO WIDTH SPACE", "zero-width"),
        ("\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE", "bidi"),
        ("\x1b", "U+001B control", "control"),
        ("\x00", "U+0000 control", "control"),
        ("\u2400", "U+2400 SYMBOL FOR NULL", "replaced NUL"),
        ("\xad", "U+00AD SOFT HYPHEN", "zero-width"),
        ("\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE", "zero-width"),
        ("\ufe0f", "U+FE0F VARIATION SELECTOR-16", "variation selector"),
        ("\u3164", "U+3164 HANGUL FILLER", "blank letter"),
        ("\u2028", "U+2028 LINE SEPARATOR", "line separator"),
        ("\ufff9", "U+FFF9 INTERLINEAR ANNOTATION ANCHOR", "other invisible"),
        ("\r", "U+000D control", "control"),
    ],
)
def test_what_cannot_be_seen_is_named_and_runs_are_counted(hidden: str, name: str, kind: str) -> None:
    marked = mark(f"a{hidden * 3}b", [Mark(1, 3, "x")])

    assert marked.hidden == {kind: 3}
    assert [(piece.text, piece.token, piece.times, piece.at) for piece in marked.pieces] == [
        ("a", None, 1, 0),
        (hidden * 2, name, 2, 1),
        (hidden, name, 1, 3),
        ("b", None, 1, 4),
    ]
    assert visible(f"a{hidden * 3}b") == f"a⟨U+{ord(hidden):04X}×3⟩b"


def test_tag_characters_are_read_aloud() -> None:
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore <b>")

    (piece,) = mark(tags, []).pieces

    assert (piece.token, piece.times) == ("tag characters that spell “ignore <b>”", 1)
    assert visible(f"a{tags}") == "a⟨tag characters that spell “ignore <b>”⟩"
    assert mark(f"{tags}\u202e\u202d", []).hidden == {"tag": 10, "bidi": 2}


@pytest.mark.parametrize("text", ["plain", "tab\tand\nline", "naïve 😀 שלום العربية 漢字", "a b", "two\r\nlines"])
def test_what_can_be_seen_is_left_as_it_is(text: str) -> None:
    marked = mark(text, [])

    assert "".join(piece.text for piece in marked.pieces) == text
    assert not any(piece.token for piece in marked.pieces)
    assert marked.hidden == {}
    assert visible(text) == text


def test_a_line_end_of_two_characters_begins_a_piece() -> None:
    pieces = mark("a\r\n\r\nb\r", []).pieces

    assert [(piece.text, piece.at) for piece in pieces] == [("a", 0), ("\r\n", 1), ("\r\nb", 3), ("\r", 6)]


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    marked = mark("a" * (MAX_SHOWN + 5), [Mark(MAX_SHOWN + 1, MAX_SHOWN + 2, "x")])

    assert (len(marked.pieces[0].text), marked.cut) == (MAX_SHOWN, 5)


def test_an_empty_text_has_no_pieces() -> None:
    assert mark("", []).pieces == ()


def test_a_text_of_many_pieces_is_cut_and_says_by_how_much() -> None:
    marked = mark("a\u200b" * 40_000, [])

    assert len(marked.pieces) == MAX_PIECES
    assert marked.cut == 80_000 - MAX_PIECES
