"""Texts in pieces."""

import pytest

from bastion.web.marked_text import MAX_PIECES, MAX_SHOWN, Mark, Piece, mark, visible


def test_marks_that_overlap_share_what_they_share() -> None:
    marked = mark("abcdef", [Mark(0, 4, "one"), Mark(2, 6, "two"), Mark(2, 6, "two")])

    assert marked.pieces == (Piece("ab", ("one",)), Piece("cd", ("one", "two")), Piece("ef", ("two",)))


@pytest.mark.parametrize("given", [Mark(-1, 2, "x"), Mark(2, 2, "x"), Mark(3, 1, "x"), Mark(99, 100, "x")])
def test_a_mark_that_is_nowhere_marks_nothing(given: Mark) -> None:
    assert mark("abc", [given]).pieces == (Piece("abc"),)


def test_a_mark_may_reach_beyond_the_end() -> None:
    assert mark("abc", [Mark(1, 99, "x")]).pieces == (Piece("a"), Piece("bc", ("x",)))


@pytest.mark.parametrize(
    ("hidden", "name"),
    [
        ("\u200b", "U+200B ZERO WIDTH SPACE"),
        ("\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("\U000e0041", "U+E0041 TAG LATIN CAPITAL LETTER A"),
        ("\x1b", "U+001B control"),
        ("\x00", "U+0000 control"),
        ("\u2400", "U+2400 SYMBOL FOR NULL"),
        ("\xad", "U+00AD SOFT HYPHEN"),
        ("\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("\r", "U+000D control"),
    ],
)
def test_what_cannot_be_seen_is_named_and_runs_are_counted(hidden: str, name: str) -> None:
    marked = mark(f"a{hidden * 3}b", [Mark(1, 3, "x")])

    assert marked.hidden == 3
    assert [(piece.text, piece.token, piece.times) for piece in marked.pieces] == [
        ("a", None, 1),
        ("", name, 2),
        ("", name, 1),
        ("b", None, 1),
    ]
    assert visible(f"a{hidden * 3}b") == f"a⟨U+{ord(hidden):04X}×3⟩b"


@pytest.mark.parametrize("text", ["plain", "tab\tand\nline", "naïve 😀 שלום العربية 漢字", "a b"])
def test_what_can_be_seen_is_left_as_it_is(text: str) -> None:
    assert mark(text, []).pieces == (Piece(text),)
    assert visible(text) == text


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    marked = mark("a" * (MAX_SHOWN + 5), [Mark(MAX_SHOWN + 1, MAX_SHOWN + 2, "x")])

    assert (len(marked.pieces[0].text), marked.cut) == (MAX_SHOWN, 5)


def test_an_empty_text_has_no_pieces() -> None:
    assert mark("", []).pieces == ()


def test_a_text_of_many_pieces_is_cut_and_says_by_how_much() -> None:
    marked = mark("a\u200b" * 40_000, [])

    assert len(marked.pieces) == MAX_PIECES
    assert marked.cut == 80_000 - MAX_PIECES
