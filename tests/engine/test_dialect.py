"""Which expressions a rule may be made of: those that mean the same to Python's ``re`` and to the ``regex`` module."""

import re
import warnings

import pytest
import regex

from bastion.engine.dialect import MAX_SIZE, compile_expression, expanded_size, pattern_faults, read_expression
from bastion.engine.patterns import PatternError

DEEP = "(" * 5000 + "a" + ")" * 5000
SUBJECTS = (
    *("", "a", "b", "A", "aa", "ab", "aab", "abb", "a b", "b]", "a]", ":]", "a:]", "7", "\x07", "\x007", "2 }", "\\"),
    *("\\\\", "\\{2 }", "a{2 }", "a#b", "[:b:]", "Z", "=]", "k", "K", "\u212a", "é", "a\nb", "a\n", "x\u00a0y", " a "),
)


@pytest.mark.parametrize(
    ("pattern", "line", "column"),
    [
        ("a(b", 1, 4),
        ("ok\na)b", 2, 2),
        ("\r\n\r\nok\r\na**", 4, 3),
        ("*a", 1, 1),
        ("x{3,1}", 1, 3),
        ("(?P<n>a", 1, 8),
        ("a\\", 1, 3),
        ("é[z-a]", 1, 6),
        ("ok\n\n(?P=x)", 3, 4),
        (r"\x", 1, 3),
        ("a{99999999999}", 1, 1),
        (DEEP, 1, 1),
        ("(?V1)a", 1, 1),
        ("ok\n(?au)a", 2, 1),
    ],
)
def test_a_broken_pattern_names_the_place_of_its_fault(pattern: str, line: int, column: int) -> None:
    (fault,) = pattern_faults(pattern)

    assert (fault.line, fault.column) == (line, column)
    assert fault.reason
    assert str(fault) == f"line {line}, column {column}: {fault.reason}"


def test_every_line_that_is_broken_is_named() -> None:
    assert [(fault.line, fault.column) for fault in pattern_faults("a(\nfine\n\nb*\n[c")] == [(1, 3), (4, 1), (5, 3)]


@pytest.mark.parametrize(
    ("pattern", "place", "reason"),
    [
        ("", (1, 1), "at least one"),
        (" \n\r\n\t", (1, 1), "at least one"),
        ("a*", (1, 1), "empty text"),
        ("ok\na|", (2, 1), "empty text"),
        ("^", (1, 1), "empty text"),
        ("(?=)", (1, 1), "empty text"),
        ("a{e<=1}", (1, 2), "fuzzy"),
        ("ok\n(?:foo){i<=1,d}", (2, 8), "fuzzy"),
        ("(?:foo){s}", (1, 8), "fuzzy"),
        (r"\\{e}", (1, 3), "fuzzy"),
        ("(?:a){2i+2d+1s<=4}", (1, 6), "fuzzy"),
        ("(?:a){e<=1:[a-z]}", (1, 6), "fuzzy"),
        (r"\p{L}", (1, 1), "re says"),
        ("(?<n>a)", (1, 2), "re says"),
        ("ok\na(?i)b", (2, 2), "re says"),
        (r"a\Kb", (1, 2), "re says"),
        ("(?<=a+)b", (1, 1), "re says"),
        ("[[a]]", (1, 2), "re warns"),
        ("[[:alpha:]]", (1, 2), "re warns"),
        ("ok\n[a&&b]", (2, 3), "re warns"),
        ("[a||b]", (1, 3), "re warns"),
        ("a\0b", (1, 2), "NUL"),
        ("ok\nab\0", (2, 3), "NUL"),
    ],
)
def test_a_pattern_that_would_mislead_is_refused(pattern: str, place: tuple[int, int], reason: str) -> None:
    (fault,) = pattern_faults(pattern)

    assert re.search(reason, fault.reason)
    assert (fault.line, fault.column) == place


@pytest.mark.parametrize(
    ("pattern", "column"),
    [
        ("(?x)a\u00a0", 6),
        ("(?x)\x1ca", 5),
        ("(?x)a\x85b", 6),
        ("(?ix)a # \u2028", 10),
        ("(?s:b)(?mx:a\u3000)", 13),
        ("(?x)[\u2003a]", 6),
        ("(?x)ab{2 }", 7),
        ("(?x)ab{ 1 , 2 }", 7),
        ("(?x)a{\te<=1}", 6),
    ],
)
def test_a_blank_that_re_and_regex_treat_differently_is_refused_in_a_verbose_expression(
    pattern: str, column: int
) -> None:
    (fault,) = pattern_faults(pattern)

    assert (fault.line, fault.column) == (1, column)
    assert "blank" in fault.reason


# Each of these is read by the regex module as one character or one repeat, by re as several characters.
@pytest.mark.parametrize("pattern", [r"(?x)\0 7", r"(?x)a\0 7", r"(?x)(k)\1 01", r"(?x)\\{2 }"])
def test_blanks_within_an_escape_or_a_count_are_refused_in_a_verbose_expression(pattern: str) -> None:
    (fault,) = pattern_faults(pattern)

    assert fault.line == 1


@pytest.mark.parametrize(
    ("pattern", "column"),
    [
        ("[^[:alpha:]]", 3),
        ("[a[:digit:]]", 3),
        ("[x[:^space:]]", 3),
        (r"\w[-[:word:]]", 5),
        ("[x[:α:]]", 3),
        (r"[\\[:alpha:]]", 4),
        ("[x[:gc=Lu:]]", 3),
        ("[x[:Script=Latin:]]", 3),
        ("[x[:basic latin:]]", 3),
        ("[x[:l&:]]", 3),
        ("[x[:is alpha:]]", 3),
    ],
)
def test_a_posix_class_is_refused(pattern: str, column: int) -> None:
    (fault,) = pattern_faults(f"ok\n{pattern}")

    assert (fault.line, fault.column) == (2, column)
    assert "class" in fault.reason


@pytest.mark.parametrize(
    "pattern",
    [
        "ok",
        "\nok\r\n\n",
        r"\{e}",
        r"\\\{e}",
        "a{2,3}",
        r"\bword\b",
        "(?=a)",
        "(?>a)b++",
        r"(?P<n>a)(?P=n)",
        r"\x00",
        r"[\[\]]",
        "(?i)ignore (?-i:NOW)",
        "привет",
        "(?u)a",
        "a\u00a0b",
        "(?i)a\u3000",
        "a{2 }",
        "(?x)a b\t# why",
        r"(?x)a\ b",
        "(?x)a{2} b",
        r"[a\[:alpha:]]",
        r"\[:alpha:]",
        "[a[:alpha]]",
    ],
)
def test_a_pattern_of_the_dialect_is_accepted_and_means_the_same_to_both(pattern: str) -> None:
    assert pattern_faults(pattern) == []

    for line in filter(None, pattern.splitlines()):
        ours, plain = read_expression(line).compiled, re.compile(line)
        for text in SUBJECTS:
            found, wanted = ours.search(text), plain.search(text)
            assert (found and found.span()) == (wanted and wanted.span()), (line, text)


@pytest.mark.parametrize(
    "bomb",
    [
        "(?:(?:(?:a{1000}){1000}){1000}){1000}",
        "((((a?){50}){50}){50}){50}",
        "(?:a{400}|b){400}",
        "(?=(?:a{1000}){1000})b",
        "((a{2,500}){3,500})x+",
    ],
)
def test_a_pattern_that_would_fill_the_memory_is_refused_and_never_compiled(
    bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regex, "compile", lambda *given, **named: pytest.fail("it was compiled"))

    (fault,) = pattern_faults(bomb)

    assert "repeats too much" in fault.reason


@pytest.mark.parametrize(("pattern", "size"), [("abc", 3), ("a{3}", 6), ("(?:ab){2,5}", 15), ("a+", 2), ("a{7,}", 14)])
def test_the_size_of_an_expression_is_that_of_its_repeats_written_out(pattern: str, size: int) -> None:
    assert expanded_size(read_expression(pattern).nodes) == size
    assert size < MAX_SIZE


def test_an_expression_is_compiled_by_the_call_that_searches() -> None:
    expression = read_expression(r"(?i)k+\d")

    again = compile_expression(r"(?i)k+\d")

    assert (expression.compiled.pattern, expression.compiled.flags) == (again.pattern, again.flags)
    assert again.flags & regex.VERSION0
    assert expression.flags & re.IGNORECASE
    assert again.search("\u212a٣")


def test_a_fault_names_the_line_that_it_is_told() -> None:
    with pytest.raises(PatternError) as caught:
        read_expression("a(", 7)

    assert (caught.value.line, caught.value.column) == (7, 3)


def test_reading_leaves_the_filters_of_warnings_as_they_were() -> None:
    before = list(warnings.filters)

    assert pattern_faults("[[a]]\nfine\n(") != []

    assert warnings.filters == before
