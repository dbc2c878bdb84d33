"""What is kept of an analysed text, and that an event is stored whole or not at all."""

import base64
import hashlib
import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Action
from bastion.errors import NotRecorded
from bastion.firewall.analysis import Analysis, Firewall, Submission, answer
from bastion.models import Event, Rule, RuleTrigger
from bastion.runtime import Runtime
from bastion.services.rules.stored_rules import delete_rule
from bastion.settings import SavePrompt
from tests.factories import stored_rule
from tests.firewall.test_spool import record

MAIL = r"\b[a-z]+@example\.org\b"
Saving = Callable[[SavePrompt], Firewall]


@pytest.fixture
def saving(parts: Runtime) -> Saving:
    """Makes the application's firewall with another ``DATABASE_SAVE_PROMPT``."""
    own = parts.firewall

    def make(save: SavePrompt) -> Firewall:
        return Firewall(own.flows, own.rules, own.recorder, save, own.metrics)

    return make


def event_of(session: Session, analysis: Analysis) -> Event:
    session.expire_all()
    return session.get_one(Event, analysis.event_id)


def everything_of(session: Session, event: Event) -> str:
    """Every column of the event and its triggers, as one text to look for leaks in."""
    rows = [*session.execute(sa.text("SELECT * FROM events WHERE id = :id"), {"id": event.id}).mappings()]
    rows += session.execute(sa.text("SELECT * FROM rule_triggers WHERE event_id = :id"), {"id": event.id}).mappings()
    assert rows
    return json.dumps([dict(row) for row in rows], default=str, ensure_ascii=False)


def results_of(event: Event) -> list[dict[str, object]]:
    """The rules that the event's ``pipeline_results`` say have matched."""
    assert event.pipeline_results is not None
    return [found for pipeline in event.pipeline_results["pipelines"] for found in pipeline["triggered_rules"]]


def test_what_a_flow_leaves_out_is_masked_all_the_same(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern=MAIL, category="pii")

    analysis = saving(SavePrompt.REDACTED).analyze(Submission("write to anna@example.org", "injection_only"))

    event = event_of(session, analysis)
    assert (event.status, event.prompt) == ("allow", "write to ████████████████")
    assert "anna@" not in everything_of(session, event)


def test_the_text_is_kept_as_it_is_unless_told_otherwise(session: Session, parts: Runtime) -> None:
    stored_rule(session, pattern=MAIL, category="pii")
    assert parts.settings.database_save_prompt is SavePrompt.TRUE

    event = event_of(session, parts.firewall.analyze(Submission("write to anna@example.org")))

    assert event.prompt == "write to anna@example.org"
    assert (event.triggers[0].matched_text, results_of(event)[0]["matched_text"]) == ("anna@example.org",) * 2
    assert event.context is None


def test_redacted_text_has_no_match_of_a_sensitive_rule(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern=MAIL, category="PII")
    stored_rule(session, pattern=r"key=\d+", category="secrets")
    stored_rule(session, pattern=r"token=\d+", category="Secret")
    stored_rule(session, pattern=r"write to \S+", category="injection")
    stored_rule(session, pattern="never in the text", category="pii")
    prompt = "write to anna@example.org: key=12 token=3\0 carl@example.com"

    analysis = saving(SavePrompt.REDACTED).analyze(Submission(prompt))

    event = event_of(session, analysis)
    assert event.prompt == "write to ████████████████: ██████ ███████\u2400 carl@example.com"
    assert [trigger.matched_text for trigger in event.triggers] == [
        "█" * 16,
        "█" * 6,
        "█" * 7,
        "write to ████████████████:",
    ]
    assert [trigger.spans for trigger in event.triggers] == [[[9, 25]], [[27, 33]], [[34, 41]], [[0, 26]]]
    assert [found["matched_text"] for found in results_of(event)] == [one.matched_text for one in event.triggers]
    assert [found["spans"] for found in results_of(event)] == [one.spans for one in event.triggers]
    assert event.prompt_sha256 == hashlib.sha256(prompt.encode()).hexdigest()
    for secret in ("anna", "key=12", "token=3"):
        assert secret not in everything_of(session, event)
    # The caller sent the text: its answer says what was found in it.
    assert answer(analysis)["pipelines"][0]["triggered_rules"][0]["matched_text"] == "anna@example.org"


def test_redaction_goes_beyond_the_spans_that_are_listed(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern=MAIL, category="pii")
    prompt = " ".join(f"{letter}@example.org" for letter in "abcdefghijklmnopqrstuvwxyz")

    event = event_of(session, saving(SavePrompt.REDACTED).analyze(Submission(prompt)))

    assert event.prompt == " ".join(["█" * 13] * 26)
    assert len(event.triggers[0].spans) == 20
    assert not [letter for letter in "abcdefghijklmnopqrstuvwxyz" if f"{letter}@" in everything_of(session, event)]


def test_a_long_match_is_masked_to_its_end(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern="s+", category="secrets")

    event = event_of(session, saving(SavePrompt.REDACTED).analyze(Submission("a" + "s" * 3000 + "b")))

    assert event.prompt == "a" + "█" * 3000 + "b"
    assert event.triggers[0].matched_text == "█" * 1000


def test_matches_that_overlap_are_masked_together(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern="bcd\nabc\nc\n(?=g)", category="pii")
    stored_rule(session, pattern="de", category="secret")

    event = event_of(session, saving(SavePrompt.REDACTED).analyze(Submission("xabcdefghx")))

    assert event.prompt == "x█████fghx"


def test_redaction_leaves_other_categories_and_innocent_texts_alone(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern="ignore", category="injection")
    stored_rule(session, pattern="ignore", category=None)
    stored_rule(session, pattern=MAIL, category="pii")
    firewall = saving(SavePrompt.REDACTED)

    for prompt in ("ignore the secret pii", "Good morning"):
        event = event_of(session, firewall.analyze(Submission(prompt)))
        assert (event.prompt, event.context) == (prompt, None)
        assert {trigger.matched_text for trigger in event.triggers} <= {"ignore"}


@pytest.mark.parametrize("pattern", [r"s3cret|(a|aa)+(?=\d)", r"(a|aa)+(?=\d)"])
def test_a_sensitive_rule_that_could_not_finish_masks_the_whole_text(
    session: Session, saving: Saving, pattern: str
) -> None:
    stored_rule(session, pattern=pattern, category="secrets")
    firewall = saving(SavePrompt.REDACTED)
    prompt = "s3cret " + "a" * 200

    event = event_of(session, firewall.analyze(Submission(prompt)))

    assert event.status == "block"
    assert event.prompt == "█" * len(prompt)


def test_a_disguised_secret_is_masked_and_what_it_reveals_is_not_kept(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern=MAIL, category="pii")
    stored_rule(session, pattern="write to", category="injection")
    hidden = base64.b64encode(b"write to anna@example.org today").decode()

    event = event_of(session, saving(SavePrompt.REDACTED).analyze(Submission(f"See {hidden}!")))

    assert event.status == "block"
    assert [trigger.view for trigger in event.triggers] == ["base64", "base64"]
    assert [found["revealed_text"] for found in results_of(event)] == [None, "write to"]
    stored = everything_of(session, event)
    assert "anna" not in stored
    assert base64.b64encode(b"anna").decode()[:4] not in stored
    assert "█" in event.prompt


def test_without_the_text_only_its_length_and_hash_are_kept(session: Session, saving: Saving) -> None:
    rule = stored_rule(session, pattern=r"zeb\w+", details="d")
    stored_rule(session, pattern=r"qu\w+", category="pii", action=Action.NOTIFY)
    prompt = "a zebra and a quagga\0"

    event = event_of(session, saving(SavePrompt.FALSE).analyze(Submission(prompt)))

    assert event.prompt is None
    assert [trigger.matched_text for trigger in event.triggers] == [None, None]
    assert [found["matched_text"] for found in results_of(event)] == [None, None]
    assert event.context == {"length": 21, "replaced": {"U+0000": 1}}
    assert event.prompt_sha256 == hashlib.sha256(prompt.encode()).hexdigest()
    assert (event.status, event.triggers[0].rule_id, event.triggers[0].spans) == ("block", rule.id, [[2, 7]])
    stored = everything_of(session, event)
    assert not [word for word in ("zebra", "quagga", "and a") if word in stored]


def test_without_the_text_an_innocent_one_leaves_only_its_measure(session: Session, saving: Saving) -> None:
    stored_rule(session)

    event = event_of(session, saving(SavePrompt.FALSE).analyze(Submission("Good morning")))

    assert (event.status, event.prompt, event.context, event.triggers) == ("allow", None, {"length": 12}, [])
    assert "morning" not in everything_of(session, event)


def test_a_rule_deleted_between_scan_and_record_still_leaves_the_event(session: Session, parts: Runtime) -> None:
    gone, stays = stored_rule(session, pattern="ignore"), stored_rule(session, pattern="previous")
    gone_uuid = gone.uuid
    parts.firewall.rules.current()
    # From here on the firewall keeps the rules that it has.
    parts.firewall.rules.stop()
    delete_rule(session, gone, with_triggers=0)
    session.commit()

    first, second = parts.firewall.analyze_all([Submission("ignore previous"), Submission("ignore")])

    event = event_of(session, first)
    assert (event.status, [trigger.rule_id for trigger in event.triggers]) == ("block", [stays.id])
    assert [found["id"] for found in results_of(event)] == [gone_uuid, stays.uuid]
    assert (event_of(session, second).status, event_of(session, second).triggers) == ("block", [])


def test_several_texts_are_stored_in_their_order(session: Session, parts: Runtime) -> None:
    rule = stored_rule(session, pattern="b")

    analyses = parts.firewall.analyze_all([Submission(text) for text in ("a", "b", "c", "bb")])

    assert [event_of(session, analysis).prompt for analysis in analyses] == ["a", "b", "c", "bb"]
    triggered = {trigger.event_id: trigger.rule_id for trigger in session.scalars(sa.select(RuleTrigger))}
    assert triggered == {analyses[1].event_id: rule.id, analyses[3].event_id: rule.id}
    assert parts.firewall.analyze_all([]) == []


@pytest.mark.parametrize("table", ["rule_triggers", "events"])
def test_a_database_that_fails_leaves_nothing_half_stored(session: Session, parts: Runtime, table: str) -> None:
    stored_rule(session, pattern="ignore")
    before = parts.firewall.analyze(Submission("before"))
    session.execute(sa.text(f"ALTER TABLE {table} RENAME TO away"))
    session.commit()

    spooled = parts.firewall.analyze_all([Submission("ignore previous"), Submission("innocent ignore")])

    assert [(one.event_id, one.spooled, one.status) for one in spooled] == [(None, True, "block")] * 2
    session.execute(sa.text(f"ALTER TABLE away RENAME TO {table}"))
    session.commit()
    while parts.firewall.recorder.spool.waiting().events:
        session.rollback()
    stored = {event.uid: event for event in session.scalars(sa.select(Event))}
    assert set(stored) == {one.uid for one in (before, *spooled)}
    assert [len(stored[one.uid].triggers) for one in spooled] == [1, 1]
    assert parts.firewall.analyze(Submission("ignore previous")).event_id is not None


def test_one_event_that_cannot_be_stored_takes_the_others_of_its_call_with_it(session: Session, parts: Runtime) -> None:
    rule_id = stored_rule(session).id
    good, bad = record("good", rule_id), record("bad")
    bad.event["status"] = None

    with pytest.raises(NotRecorded, match="could not be stored"):
        parts.firewall.recorder.record([good, bad])
    assert (session.query(Event).count(), session.query(RuleTrigger).count(), session.query(Rule).count()) == (0, 0, 1)
    assert parts.firewall.recorder.spool.waiting().events == 0

    (event_id,) = parts.firewall.recorder.record([good])
    assert session.get_one(Event, event_id).triggers[0].rule_id == rule_id


def test_calls_that_are_stored_together_fail_alone(session: Session, parts: Runtime) -> None:
    bad = record("bad")
    bad.event["status"] = None
    parts.firewall.recorder.start()
    tasks = [[record("a")], [bad], [record("b"), record("c")]]

    first, failed, last = parts.firewall.recorder._store_together(lambda: tasks)

    assert isinstance(failed, NotRecorded)
    assert [event.prompt for event in session.scalars(sa.select(Event).order_by(Event.id))] == ["a", "b", "c"]
    assert isinstance(first, list)
    assert isinstance(last, list)
    assert len(first) == 1
    assert len(last) == 2


def test_what_comes_out_of_masking_is_masked_too(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern="key-[a-c]+\n█ tail", category="secrets")

    event = event_of(session, saving(SavePrompt.REDACTED).analyze(Submission("a key-abc tail and more")))

    assert event.prompt == "a ████████████ and more"


def test_what_never_comes_clean_is_masked_whole(session: Session, saving: Saving) -> None:
    stored_rule(session, pattern="key-[a-c]+\n(?<=█) ?[a-z]", category="secrets")

    event = event_of(session, saving(SavePrompt.REDACTED).analyze(Submission("a key-abc tail")))

    assert event.prompt == "█" * len("a key-abc tail")
