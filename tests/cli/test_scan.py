"""``flask scan``."""

import json

from sqlalchemy.orm import Session

from bastion.models import Event, RuleTrigger
from tests.cli.conftest import Run
from tests.factories import stored_rule


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


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
