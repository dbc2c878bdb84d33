"""From the spool into the database: every event once, in order, whatever happens in between."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bastion.firewall.recording import EventRecord
from bastion.firewall.replay import Replay
from bastion.firewall.spool import Spool
from bastion.firewall.storing import DATABASE_FAULTS, EventStore, event_store, insert_once
from bastion.models import Event, RuleTrigger
from tests.factories import stored_rule
from tests.firewall.test_spool import MEGABYTE, record


@pytest.fixture
def store(engine: Engine) -> Iterator[EventStore]:
    opened = event_store(engine, "full")
    yield opened
    opened.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", MEGABYTE)


def spooled(spool: Spool, *records: EventRecord) -> list[EventRecord]:
    for one in records:
        spool.append([one])
    spool.release()
    return list(records)


def stored_prompts(session: Session) -> list[str | None]:
    session.expire_all()
    return [event.prompt for event in session.scalars(sa.select(Event).order_by(Event.id))]


def test_every_event_is_stored_once_with_its_triggers(session: Session, spool: Spool, store: EventStore) -> None:
    first, second = stored_rule(session).id, stored_rule(session).id
    one, two = spooled(spool, record("one", first, second), record("two"))

    assert Replay(spool, store).run() == 2
    assert Replay(spool, store).run() == 0

    stored = {event.uid: event for event in session.scalars(sa.select(Event))}
    event = stored[one.event["uid"]]
    assert (event.prompt, event.timestamp) == ("one", one.event["timestamp"])
    assert [(trigger.rule_id, trigger.spans, trigger.timestamp) for trigger in event.triggers] == [
        (rule_id, [[0, 1]], one.event["timestamp"]) for rule_id in (first, second)
    ]
    assert stored[two.event["uid"]].triggers == []
    assert spool.files() == []


def test_what_was_stored_after_all_is_not_stored_twice(session: Session, spool: Spool, store: EventStore) -> None:
    rule_id = stored_rule(session).id
    doubtful, _ = spooled(spool, record("doubtful", rule_id), record("lost", rule_id))
    store.insert([doubtful])

    Replay(spool, store).run()

    assert stored_prompts(session) == ["doubtful", "lost"]
    assert session.query(RuleTrigger).count() == 2


def test_the_files_of_all_workers_come_in_the_order_of_their_events(
    session: Session, spool: Spool, store: EventStore
) -> None:
    other = Spool(spool.folder, MEGABYTE)
    for number in range(10):
        (spool if number % 2 else other).append([record(str(number))])
    spool.release()
    other.release()

    Replay(spool, store).run()

    assert stored_prompts(session) == [str(number) for number in range(10)]


def test_a_file_that_is_still_written_is_left_alone(session: Session, spool: Spool, store: EventStore) -> None:
    spool.append([record("still mine")])

    assert Replay(Spool(spool.folder, MEGABYTE), store).run() == 0
    assert len(spool.files()) == 1
    spool.release()
    assert Replay(spool, store).run() == 1


def test_two_who_replay_at_once_store_nothing_twice(session: Session, spool: Spool, engine: Engine) -> None:
    records = spooled(spool, *(record(str(number)) for number in range(300)))
    stores = [event_store(engine, "full") for _ in range(4)]
    counts: list[int] = []

    def replay(own: EventStore) -> None:
        counts.append(Replay(spool, own).run())

    threads = [threading.Thread(target=replay, args=(own,)) for own in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in stores:
        own.close()

    assert sum(counts) == 300
    assert stored_prompts(session) == [one.event["prompt"] for one in records]


def test_what_is_torn_is_put_aside_and_the_rest_is_stored(
    session: Session, spool: Spool, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    spooled(spool, record("first"), record("second"))
    (path,) = spool.files()
    torn = path.read_bytes()[:-30]
    path.write_bytes(torn)

    with caplog.at_level(logging.ERROR):
        Replay(spool, store).run()

    assert stored_prompts(session) == ["first"]
    (aside,) = (spool.folder / "aside").iterdir()
    assert torn.endswith(aside.read_bytes())
    assert aside.stat().st_mode & 0o777 == 0o600
    assert path.name in caplog.text
    assert spool.files() == []


def test_an_event_that_the_database_refuses_holds_up_no_other(
    session: Session, spool: Spool, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    bad = record("bad")
    bad.event["status"] = None
    spooled(spool, record("before"), bad, record("after"))

    Replay(spool, store).run()

    assert stored_prompts(session) == ["before", "after"]
    assert bad.event["uid"] in (spool.folder / "aside" / "refused").read_text("ascii")
    assert bad.event["uid"] in caplog.text


def test_a_rule_that_was_deleted_meanwhile_leaves_the_event(session: Session, spool: Spool, store: EventStore) -> None:
    stays = stored_rule(session).id
    spooled(spool, record("x", 10_000, stays))

    Replay(spool, store).run()

    (event,) = session.scalars(sa.select(Event))
    assert [trigger.rule_id for trigger in event.triggers] == [stays]


def test_a_database_that_goes_away_again_takes_nothing_along(
    session: Session, spool: Spool, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastion.firewall.replay.BATCH", 2)
    spooled(spool, *(record(str(number)) for number in range(5)))
    real = store.insert
    calls: list[int] = []

    def fails_the_second_time(records: list[EventRecord]) -> list[int]:
        calls.append(len(records))
        if len(calls) == 2:
            session.execute(sa.text("ALTER TABLE events RENAME TO away"))
            session.commit()
        return real(records)

    monkeypatch.setattr(store, "insert", fails_the_second_time)
    with pytest.raises(DATABASE_FAULTS):
        Replay(spool, store).run()
    assert len(spool.files()) == 1
    monkeypatch.setattr(store, "insert", real)
    session.execute(sa.text("ALTER TABLE away RENAME TO events"))
    session.commit()

    Replay(spool, store).run()

    assert stored_prompts(session) == [str(number) for number in range(5)]


def test_insert_once_gives_the_ids_of_all(session: Session, store: EventStore) -> None:
    known, new = record("known"), record("new")
    (known_id,) = store.insert([known])

    ids = insert_once(store, [new, known])

    assert ids[1] == known_id
    assert session.get_one(Event, ids[0]).prompt == "new"
