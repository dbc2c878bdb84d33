"""What the sections of a rule define."""

import pytest

from bastion.engine.dialect import compile_expression
from bastion.engine.nova.conditions import Section
from bastion.engine.nova.pattern import keyword_expressions, nova_faults, read_pattern
from bastion.engine.nova.sections import MAX_NAMES, read_sections


def finds(keyword: str, text: str) -> bool:
    made = read_pattern(f"keywords:\n  $k = {keyword}\ncondition:\n  $k")
    return compile_expression(made.keywords["k"]).search(text) is not None


@pytest.mark.parametrize(
    ("keyword", "found", "not_found"),
    [
        ('"reveal the (plan)"', "pls REVEAL the (Plan)!", "reveal the plan"),
        ("'a.b'", "A.B", "axb"),
        ('"Plan B" case:true', "a Plan B", "a plan b"),
        ('"Plan B case:true"', "a Plan B", "a plan b"),
        ('" plan "', "the plan is", "the plan"),
        (r'"say \"plan\""', 'Say "Plan"', "say plan"),
        (r'"C:\plan"', r"c:\PLAN", "c:plan"),
        ('"a" // what "b" says', 'a" // WHAT "b', "b"),
        ('"https://plan"', "https://plan", "https:"),
        ("/pl[ao]n/", "the PLON", "the plxn"),
        ("/pl[ao]n/i", "the PLON", "the plxn"),
        ("/Pl[ao]n/ case:true", "the Plon", "the plon"),
        ("/Pl[ao]n case:true/", "the Plon", "the plon"),
        ("/(?i)pl[ao]n/", "the PLON", "the plxn"),
        ("/a.b/is", "A\nB", "a b b a"[4:]),
        ("/a.b/", "a-b", "a\nb"),
        ("/^b/m", "a\nb", "a b"),
        ("/a|b/", "b", "c"),
        (r"/https?:\/\/[^\s/$.?#].[^\s]*/", "http://plan", "http:plan"),
        ("/[a-c]/d//", "b/d/", "bd"),
        ("/(a)b\\1/ // twice", "ABA", "abb"),
    ],
)
def test_keywords_are_texts_as_they_are_or_expressions_and_ignore_case(
    keyword: str, found: str, not_found: str
) -> None:
    assert finds(keyword, found)
    assert not finds(keyword, not_found)


SECTIONS = "meta, keywords, semantics, llm, condition"

RULE = """meta:
  version = "1.0"   // of nothing
  odd
keywords:
  # a comment
  $a = "x"
  $a = "y"
  b = "z"
  $c = z
  $d = /a(b/i
  $e = /a/g
  $f-g = "x"
  $h = ""
  $i =
semantics:
  $s = 'single'
  $t = "so" (1.5)
  $u = "so" (much)
llm:
  $l = "Is it
     so?" (0.5)
  $m = "Is it" extra
nonsense:
  anything = 1
keywords:
condition:
  $a and
"""


def test_every_fault_is_told_with_its_line_and_column() -> None:
    faults = [(fault.line, fault.column, fault.reason) for fault in nova_faults(RULE)]

    assert faults == [
        (3, 3, 'wants key = "text"'),
        (7, 3, "gives $a twice in keywords"),
        (8, 3, "wants a name of letters, digits and _ after a $, not 'b'"),
        (9, 8, 'wants a text in quotes, "so", or an expression between slashes, /so/'),
        (10, 12, "missing )"),
        (11, 8, "has the flag g: an expression may have i, m, s"),
        (12, 3, "wants a name of letters, digits and _ after a $, not '$f-g'"),
        (13, 8, "wants a text that is not blank"),
        (14, 7, 'wants a text in quotes, "so", or an expression between slashes, /so/'),
        (16, 8, "wants a text in double quotes, and perhaps a number from 0 to 1 in parentheses"),
        (17, 8, "wants a number from 0 to 1 in parentheses, not '1.5'"),
        (18, 8, "wants a number from 0 to 1 in parentheses, not 'much'"),
        (22, 8, "wants a text in double quotes, and perhaps a number from 0 to 1 in parentheses"),
        (23, 1, "has the section nonsense: there are meta, keywords, semantics, llm, condition"),
        (25, 1, "has the section keywords twice, first in line 4"),
    ]


def test_a_faulty_expression_has_the_place_that_it_has_in_the_text() -> None:
    plain, flagged, written = "$plain = /ab[c/", "$flagged =   /(?is)x*/", "$written = /ab+/ case:true"
    text = f"keywords:\n    {plain}\n    {flagged}\n    {written}\ncondition: $written"

    faults = nova_faults(text)

    assert [(fault.line, fault.column) for fault in faults] == [(2, 19), (3, 19)]
    assert faults[1].reason == "matches the empty text, so it would match every prompt"
    assert keyword_expressions(text) == [(2, "(?i)ab[c"), (3, "(?is)x*"), (4, "ab+")]


def test_texts_for_models_may_take_several_lines() -> None:
    text = 'llm:\n  $a = "Is it\n  $b = so:\n  "  (0.3)\n  $c = "x" // end\ncondition: $a'
    sections = read_sections(text.split("\n"))

    assert sections.faults == []
    assert sections.names[Section.LLM] == ["a", "c"]
    (fault,) = nova_faults('keywords:\n  $a = "a"\nllm:\n  $b = "Is it\ncondition:\n  $a')[:1]
    assert (fault.line, fault.reason) == (4, 'has a text without an end: it wants "')


def test_there_is_an_end_to_keywords() -> None:
    keywords = "".join(f'  $k{number} = "word {number}"\n' for number in range(MAX_NAMES + 1))

    (fault,) = nova_faults(f"keywords:\n{keywords}condition:\n  any of keywords.*")

    assert (fault.line, fault.reason) == (MAX_NAMES + 2, f"has more than {MAX_NAMES} keywords")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "wants a section condition:"),
        ('keywords:\n  $a = "a"', 2, "wants a section condition:"),
        (
            '$a = "a"\ncondition: $a',
            1,
            f"wants a section first: {SECTIONS}, each with a colon",
        ),
        ('Keywords: $a = "a"\nCONDITION: $b', 2, "condition: there is no $b"),
    ],
)
def test_what_no_section_says(text: str, line: int, reason: str) -> None:
    fault = nova_faults(text)[0]

    assert (fault.line, fault.reason) == (line, reason)
