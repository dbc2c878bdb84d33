"""The ``flask`` commands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.orm import Session

from bastion.models import Event, Rule, RuleTrigger
from bastion.runtime import Runtime
from bastion.services.accounts import Role
from tests.conftest import PASSWORD
from tests.factories import stored_rule

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    def invoke(*arguments: str, text: str | bytes = "") -> Result:
        return app.test_cli_runner().invoke(args=arguments, input=text)

    return invoke


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_the_first_init_makes_what_is_missing_and_the_second_nothing(
    run: Run, session: Session, parts: Runtime
) -> None:
    first = run("init").output

    password = first.split("Password:")[1].split()[0]
    token = first.split("API token:")[1].split()[0]
    account = parts.accounts.log_in("admin", password)
    assert account
    assert account.role is Role.ADMIN
    assert parts.tokens.find(token)
    assert session.query(Rule).count() >= 30
    assert run("init").output == ""


def test_init_leaves_rules_that_are_there_alone(run: Run, session: Session) -> None:
    stored_rule(session)

    run("init")

    assert session.query(Rule).count() == 1


def test_a_token_is_printed_alone_on_its_line(run: Run, parts: Runtime) -> None:
    made = run("token", "create", "chat")

    assert made.output.count("\n") == 1
    assert parts.tokens.find(made.output.strip())
    again = run("token", "create", "chat")
    assert (again.exit_code, "already" in again.output) == (1, True)


def test_accounts_are_made_and_given_new_passwords(run: Run, parts: Runtime) -> None:
    assert run("user", "add", "ada", "--role", "analyst", "--password", PASSWORD).exit_code == 0
    assert parts.accounts.log_in("ada", PASSWORD)
    assert run("user", "passwd", "ada", "--password", "another long password").exit_code == 0
    assert parts.accounts.log_in("ada", "another long password")
    short = run("user", "passwd", "ada", "--password", "short")
    assert (short.exit_code, "at least 12 characters" in short.output) == (1, True)
    assert run("user", "passwd", "nobody", "--password", PASSWORD).exit_code == 1


def test_a_file_of_texts_is_judged_recorded_and_counted(run: Run, session: Session) -> None:
    rule = stored_rule(session, name="Override")
    texts = lines({"text": "ignore previous"}, {"text": "hello", "label": "x"}, {"text": "IGNORE previous"})

    done = run("scan", "-", "--source", "replay", text=texts)

    assert done.exit_code == 0
    assert " ".join(done.output.split()) == "texts judged: 3 by status 2 block 1 allow by rule 2 Override"
    events = session.query(Event).order_by(Event.id).all()
    assert [(event.prompt, event.status, event.source) for event in events] == [
        ("ignore previous", "block", "replay"),
        ("hello", "allow", "replay"),
        ("IGNORE previous", "block", "replay"),
    ]
    assert [trigger.rule_id for trigger in session.query(RuleTrigger)] == [rule.id, rule.id]


def test_a_dry_run_records_nothing(run: Run, session: Session) -> None:
    assert "texts judged: 1" in run("scan", "-", "--dry-run", text=lines({"text": "x"})).output
    assert session.query(Event).count() == 0


def test_more_texts_than_a_batch_are_all_recorded(run: Run, session: Session) -> None:
    run("scan", "-", text=lines(*({"text": f"text {number}"} for number in range(450))))

    assert session.query(Event).count() == 450


def test_lines_that_cannot_be_read_are_named_and_the_others_are_judged(run: Run, session: Session) -> None:
    hostile = [
        b'{"text": "good"}',
        b'{"text": 3}',
        b"[]",
        b"not json",
        b'{"text": "\xff"}',
        b"[" * 100_000,
        b'{"text": "' + b"x" * (1024 * 1024 + 1) + b'"}',
        b"",
        b'{"text": "a\\u0000\\ud800"}',
    ]

    done = run("scan", "-", text=b"\n".join(hostile))

    assert done.exit_code == 1
    assert "lines that could not be read: 6" in done.output
    for number in range(2, 8):
        assert f"line {number}: " in done.output
    assert [event.prompt for event in session.query(Event).order_by(Event.id)] == ["good", "a\u2400\ufffd"]


def test_an_unknown_flow_is_refused_before_anything_is_read(run: Run, session: Session) -> None:
    done = run("scan", "-", "--flow", "nope", text=lines({"text": "x"}))

    assert (done.exit_code, "default, base_audit" in done.output) == (1, True)


def test_rule_files_are_imported_or_every_fault_is_named(run: Run, session: Session, tmp_path: Path) -> None:
    good = tmp_path / "a.yml"
    good.write_text("name: a\ndetails: a\nuuid: a\ndetection: {pattern: a}\n")
    bad = tmp_path / "b.yml"
    bad.write_text("name: b\ndetails: b\nuuid: b\ndetection:\n  pattern: b(\n---\nname: c\n")

    refused = run("rules", "import", str(tmp_path))

    assert refused.exit_code == 1
    assert "b.yml:5: 'b': pattern: line 1, column 3: missing )" in refused.output
    assert "b.yml:7: lacks details, uuid, detection" in refused.output
    assert "nothing imported, faults: 2" in refused.output
    assert session.query(Rule).count() == 0
    bad.unlink()
    assert run("rules", "import", str(tmp_path)).output == "1 new, 0 changed, 0 unchanged\n"
    assert run("rules", "import", str(good)).output == "0 new, 0 changed, 1 unchanged\n"
