"""Rules checked and tried while they are written."""

import time

import pytest
from sqlalchemy.orm import Session

from bastion.services.rules import checks
from bastion.services.rules.checks import check_draft, notes_on
from bastion.services.rules.stored_rules import archive_rule
from tests.factories import rule_spec, stored_rule


def warnings(session: Session, pattern: str) -> list[str]:
    checked = check_draft(session, rule_spec(pattern=pattern))
    assert checked.faults == ()
    return [str(warning) for warning in checked.warnings]


def test_faults_name_field_line_and_column(session: Session) -> None:
    checked = check_draft(session, rule_spec(name="", pattern="fine\nbro(ken\na*"))

    assert [(fault.field, fault.line, fault.column) for fault in checked.faults] == [
        ("name", 0, 0),
        ("pattern", 2, 8),
        ("pattern", 3, 1),
    ]
    assert str(checked.faults[1]) == "line 2, column 8: missing )"
    assert "matches the empty text" in checked.faults[2].message


def test_a_language_that_nothing_runs_is_a_fault(session: Session) -> None:
    assert [fault.field for fault in check_draft(session, rule_spec(language="x")).faults] == ["language"]


@pytest.mark.parametrize(
    ("pattern", "begins"),
    [
        ("ignore", "line 1: tells upper from lower case"),
        (r"\bignore\b", "line 1: tells upper from lower case"),
        ("(?:x)", "line 1: tells upper from lower case"),
        ("(?i).*ignore", "line 1: begins or ends with"),
        ("(?i)(.+)ignore", "line 1: begins or ends with"),
        (r"(?i)ignore[\s\S]*", "line 1: begins or ends with"),
        ("(?i)ignore.*?$", "line 1: begins or ends with"),
        ("(?i)fine\n(?i)fine", "line 2: is the same as line 1"),
        (r"(?=\d)(?:\d{4})*(?<=\d)", "line 1: cannot be prefiltered"),
    ],
)
def test_warnings_say_what_may_not_be_meant(session: Session, pattern: str, begins: str) -> None:
    (warning,) = warnings(session, pattern)

    assert warning.startswith(begins)


@pytest.mark.parametrize(
    "pattern",
    ["(?i)ignore", "(?i:ignore)", r"\d{16}", r"[A-Z]{4}\d", "(?i)a.*b", r"(?i)ignore\.*", "(?P<year>[0-9])"],
)
def test_ordinary_expressions_are_not_warned_of(session: Session, pattern: str) -> None:
    assert warnings(session, pattern) == []


def test_lines_that_another_rule_in_use_has_are_named(session: Session) -> None:
    other = stored_rule(session, name="Other", pattern="(?i)one\n(?i)two")
    archive_rule(session, stored_rule(session, pattern="(?i)three"))
    draft = rule_spec(uuid=other.uuid, pattern="(?i)two")
    session.commit()

    assert warnings(session, "(?i)zero\n(?i)two\n(?i)three") == [f"line 2: is a line of rule {other.id} too, Other"]
    assert check_draft(session, draft).warnings == ()


def test_a_check_ends_in_time_and_says_what_it_left(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECK_SECONDS", -1)

    (warning,) = warnings(session, "(?i)one\n(?i)two")

    assert str(warning) == "line 1: this line and those below are checked when the rule is saved"


def test_what_takes_long_to_compile_is_checked_quickly(session: Session) -> None:
    began = time.process_time()

    check_draft(session, rule_spec(pattern="\n".join(f"(?i)(a|b{number}){{90}}{{90}}" for number in range(500))))

    # All of it would take most of a minute.
    assert time.process_time() - began < 10


def test_notes_say_what_a_line_does_not(session: Session) -> None:
    assert notes_on("(?i)a.b") == ["ignores case", "a dot does not match a line feed"]
    assert notes_on("(?is)a.b") == ["ignores case"]
    assert notes_on("a(") == ["is not run: column 3: missing )"]
