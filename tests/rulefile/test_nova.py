"""Files of NOVA: what of them goes where, and what is wrong with them, with its place."""

import re

import pytest

from bastion.engine import Action, Engine, Severity
from bastion.rulefile import RuleFiles, SourceFile, looks_like_nova, read_rule_files
from tests.conftest import ROOT

HEIST = """// Rules of the bank.

rule Heist_Plan
{
    meta:
        description = "Asks for the plan of a heist"
        author = "Ada"
        version = "2"
        severity = "High"
        category = "crime/bank"
        reference = "https://example.org/heist"
        uuid = "00000000-0000-4000-8000-0000000000a1"

    keywords:
        $vault = "open the vault"   // of any bank
        $crew = /(crew|gang) of \\d+/

    condition:
        keywords.$vault
        and keywords.$crew
}

rule Getaway {
    keywords:
        $car = "getaway car"
    semantics:
        $fast = "leaving in a hurry" (0.4)
    condition: keywords.$car or semantics.$fast }
# The end.
"""


def read(*texts: str, name: str = "rules.nov", category: str | None = None) -> RuleFiles:
    return read_rule_files(
        SourceFile(f"{number or ''}{name}", text.encode(), category) for number, text in enumerate(texts)
    )


def test_a_rule_says_what_its_file_says() -> None:
    heist, getaway = read(HEIST, category="folder").rules

    spec = heist.spec
    assert (spec.name, spec.uuid) == ("Heist_Plan", "00000000-0000-4000-8000-0000000000a1")
    assert (spec.details, spec.author) == ("Asks for the plan of a heist", "Ada")
    assert (spec.severity, spec.category, spec.action, spec.enabled) == (
        Severity.HIGH,
        "crime/bank",
        Action.NOTIFY,
        True,
    )
    assert (spec.references, spec.tags, spec.language) == (("https://example.org/heist",), (), "nova")
    assert spec.pattern == (
        'meta:\n    version = "2"\n\nkeywords:\n    $vault = "open the vault"   // of any bank\n'
        "    $crew = /(crew|gang) of \\d+/\n\ncondition:\n    keywords.$vault\n    and keywords.$crew"
    )
    assert (str(heist.place), str(heist.expressions[0]), str(heist.expressions[-1])) == (
        "rules.nov:3",
        "rules.nov:5",
        "rules.nov:20",
    )
    assert "enabled" in heist.unsaid
    assert not heist.unsaid & {"name", "details", "pattern", "severity", "author", "references", "category"}
    assert (getaway.spec.category, getaway.spec.severity, getaway.spec.author) == ("folder", None, None)
    assert getaway.unsaid >= {"category", "severity", "author", "references", "action", "tags", "must_match"}


def test_a_rule_that_a_model_could_only_add_to_runs_and_says_so() -> None:
    read_ = read(HEIST)

    assert read_.rules[1].spec.enabled
    assert read_.rules[1].spec.details == (
        "The NOVA rule Getaway.\n\nRuns on its keywords alone, without asking for semantics.$fast."
    )
    assert [str(note) for note in read_.notes] == [
        "rules.nov:23: 'Getaway' runs on its keywords alone, without asking for semantics.$fast"
    ]


def test_a_rule_that_needs_a_model_is_a_draft_with_the_reason() -> None:
    read_ = read('rule A {\nkeywords:\n $a = "x"\nllm:\n $l = "Is it?" (0.1)\ncondition:\n $a and $l\n}')

    (rule,) = read_.rules
    reason = "needs llm.$l, which nothing here runs: no keywords alone make its condition true"
    assert (rule.spec.enabled, "enabled" in rule.unsaid) == (False, False)
    assert rule.spec.details == f"The NOVA rule A.\n\nOnly a draft: it {reason}."
    assert [note.message for note in read_.notes] == [f"'A' is imported as a draft: it {reason}"]
    assert 'llm:\n $l = "Is it?" (0.1)' in rule.spec.pattern


def test_what_may_be_a_mistake_is_noted() -> None:
    read_ = read('rule A {\nmeta:\n severity = "dire"\nkeywords:\n $a = "x"\n $b = "y"\n $c = "z"\ncondition: $a\n}')

    assert [note.message for note in read_.notes] == [
        "'A' has keywords that its condition does not name: $b, $c",
        f"'A' has the severity 'dire', which is left out: there are {', '.join(Severity)}",
    ]


def test_a_rule_without_a_uuid_keeps_its_own_by_its_name() -> None:
    one = 'rule Same {\nkeywords:\n $a = "one"\ncondition: $a\n}\n'
    other = one.replace("one", "two")

    first, second = (rule.spec.uuid for rule in read(one, other).rules)

    assert first == read(other).rules[0].spec.uuid != second
    assert [rule.spec.uuid for rule in read(one, other).rules] == [first, second]
    assert first != read(one.replace("Same", "Other")).rules[0].spec.uuid


def test_carriage_returns_and_a_byte_order_mark_make_no_difference() -> None:
    plain = read(HEIST)
    windows = read("\ufeff" + HEIST.replace("\n", "\r\n"))

    assert windows.rules == plain.rules


NAMES = "wants keywords.*, keywords.$name*, or names in parentheses"

FAULTY = (
    """rule First
    keywords:
        $a = "a"
}
Rule Second {
    keywords:
        $b = /b(/
    condition:
        $b and $c
}
rule Third {
    meta:
        author = "x"
        author = "y"
        uuid = "12345"
    keywords:
        $c = "c"
    condition:
        2 of keywords
}
something else
more
rule Fourth {
    keywords:
        $d = "d"
    condition: any of
}
rule Fifth {
    meta:
        author = "{long}"
    keywords:
        $e = /e{{2}}/
    condition: $e
}
rule Good {
    keywords:
        $f = /f{{2,3}}/
    condition: $f
}
rule Last {
    keywords:
        $g = "g"
    condition: $g
""".replace("{long}", "x" * 300)
    .replace("{{", "{")
    .replace("}}", "}")
)


def test_every_fault_of_every_rule_has_its_line_and_column() -> None:
    read_ = read(FAULTY)

    faults = [(fault.place.line, fault.place.column, fault.message) for fault in read_.faults]
    assert faults == [
        (1, 11, "column 11: wants { behind the name First"),
        (7, 17, "'Second': column 17: missing )"),
        (14, 18, "'Third': column 18: gives author twice in meta"),
        (19, 9, "'Third': column 9: condition: wants 2 of 1: there must be at least one, and so many"),
        (21, 1, "column 1: wants rule and a name, and then a brace, not 'something else'"),
        (26, 22, f"'Fourth': column 22: condition: {NAMES}, not the end"),
        (30, 18, "'Fifth': author: has 300 characters, at most 255 are kept"),
        (40, 1, "column 1: the rule Last has no end: it wants } on a line of its own"),
    ]
    assert [rule.spec.name for rule in read_.rules] == ["Good"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no rule"),
        (b"// nothing\n\n", "holds no rule"),
        (b"rule A {\xff}", "is not UTF-8 (byte 9)"),
        (b" " * (4 * 1024 * 1024 + 1), "has more than 4194304 bytes"),
        (b"rule A {", "column 1: the rule A has no end: it wants } on a line of its own"),
        (b"rule A {\nrule B {\n}", "column 1: the rule A has no end: it wants } on a line of its own"),
        (b"rule A {\n}", "'A': column 1: wants a section condition:"),
        (b"rule A\n", "column 7: wants { behind the name A"),
        (b"rule\n", "column 1: wants rule and a name, and then a brace, not 'rule'"),
    ],
)
def test_a_file_that_holds_no_rule(content: bytes, message: str) -> None:
    read_ = read_rule_files([SourceFile("a.NOVA", content)])

    assert read_.faults[0].message == message


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (HEIST, True),
        ("rule A {", True),
        ("\ufeff\n# rules\nrule A // the first\n{", True),
        ("rule: A\ndetails: d", False),
        ("rule of thumb", False),
        ("name: A", False),
        ('{"rule": 1}', False),
        ("", False),
    ],
)
def test_a_pasted_text_is_known_by_its_beginning(text: str, looks: bool) -> None:
    assert looks_like_nova(text) is looks


def test_the_examples_of_the_docs_are_rules() -> None:
    rule, *_ = re.findall(r"^```\n(rule .*?)^```", (ROOT / "docs" / "cli.md").read_text(), re.DOTALL | re.MULTILINE)
    pattern, *_ = re.findall(
        r"^```\n(keywords:.*?)^```", (ROOT / "docs" / "rules.md").read_text(), re.DOTALL | re.MULTILINE
    )

    (read_,) = read(rule).rules
    assert read_.spec.pattern.startswith('meta:\n    version = "2"')
    (spec,) = (read(f"rule A {{\n{pattern}}}").rules[0].spec,)
    engine = Engine([read_.spec, spec])
    texts = ("Crew of 9, open the vault", "open the vault, Ocean's", "open the vault, ocean's", "Crew of 9")
    assert [[match.rule.name for match in engine.scan(text).matches] for text in texts] == [
        ["HeistPlan", "A"],
        ["A"],
        [],
        [],
    ]
    assert engine.scan("a heist movie: crew of 9, open the vault").matches[0].rule.name == "HeistPlan"
