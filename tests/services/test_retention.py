"""Old events go, with their triggers, and nothing else does."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bastion.engine import Status
from bastion.models import Event, RuleTrigger, utc_now
from bastion.services.events import retention
from bastion.services.events.daily_pruning import DailyPruning
from bastion.services.events.retention import Old, count_old, prune
from tests.factories import stored_event, stored_rule

NOW = utc_now()
MONTH_AGO = NOW - timedelta(days=30)


def names(session: Session) -> list[str | None]:
    session.expire_all()
    return sorted(event.task_id or "" for event in session.scalars(sa.select(Event)))


@pytest.fixture
def filled(session: Session) -> None:
    rule = stored_rule(session)
    for name, days, status, rules in (
        ("old", 90, "allow", ()),
        ("old block", 80, "block", (rule,)),
        ("old judged", 70, "block", (rule, rule)),
        ("just old", 31, "allow", ()),
        ("new", 29, "allow", (rule,)),
    ):
        event = stored_event(session, task_id=name, timestamp=NOW - timedelta(days=days), rules=rules)
        event.status = status
        if name == "old judged":
            event.triggers[1].disposition = "true_positive"
    session.commit()


@pytest.mark.parametrize("batch", [1, 2, 500])
@pytest.mark.usefixtures("filled")
def test_what_is_old_goes_and_what_was_judged_stays(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(retention, "BATCH", batch)
    told: list[int] = []
    assert count_old(engine, Old(MONTH_AGO)) == 3

    assert prune(engine, Old(MONTH_AGO), told.append) == 3

    assert names(session) == ["new", "old judged"]
    assert session.query(RuleTrigger).count() == 3
    assert sum(told) == 3
    assert prune(engine, Old(MONTH_AGO)) == 0


@pytest.mark.usefixtures("filled")
def test_filters_compose(session: Session, engine: Engine) -> None:
    assert prune(engine, Old(MONTH_AGO, Status.ALLOW)) == 2
    assert names(session) == ["new", "old block", "old judged"]
    assert prune(engine, Old(MONTH_AGO, Status.BLOCK, judged=True)) == 2
    assert names(session) == ["new"]


@pytest.mark.usefixtures("filled")
def test_what_is_judged_at_the_last_moment_stays(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = retention._next

    def judged_in_between(*given):  # type: ignore[no-untyped-def]
        found = real(*given)
        if engine.dialect.name == "sqlite":
            # On PostgreSQL whoever judges waits here.
            session.execute(sa.update(RuleTrigger).values(disposition="false_positive"))
            session.commit()
        return found

    monkeypatch.setattr(retention, "_next", judged_in_between)
    prune(engine, Old(MONTH_AGO))

    kept = ["new", "old block", "old judged"] if engine.dialect.name == "sqlite" else ["new", "old judged"]
    assert names(session) == kept


@pytest.mark.usefixtures("filled")
def test_the_command_counts_and_deletes(app: Flask, session: Session) -> None:
    run: Callable[..., str] = lambda *more: app.test_cli_runner().invoke(args=["events", "prune", *more]).output  # noqa: E731

    assert run("--older-than", "30d", "--dry-run") == "3 events would be deleted\n"
    assert len(names(session)) == 5
    assert run("--older-than", "30d", "--status", "allow") == "2 events deleted\n"
    assert run("--older-than", "30d", "--judged") == "2 events deleted\n"
    assert names(session) == ["new"]
    assert "no length of time" in run("--older-than", "soon")


@pytest.mark.usefixtures("filled")
def test_what_was_interrupted_goes_on(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("bastion.services.events.retention.time.sleep", interrupted)
        stopped = app.test_cli_runner().invoke(args=["events", "prune", "--older-than", "30d"])

    assert (stopped.exit_code, stopped.stderr) == (
        130,
        "\nStopped: 1 events are deleted. Run the same command again to go on.\n",
    )
    assert names(session) == ["just old", "new", "old block", "old judged"]
    again = app.test_cli_runner().invoke(args=["events", "prune", "--older-than", "30d"])
    assert (again.exit_code, again.output) == (0, "2 events deleted\n")
    assert names(session) == ["new", "old judged"]


@pytest.mark.usefixtures("filled")
def test_it_is_done_once_a_day_whoever_asks(session: Session, engine: Engine, tmp_path: Path) -> None:
    workers = [DailyPruning(engine, tmp_path, 30) for _ in range(3)]

    assert [worker.run_if_due() for worker in workers] == [3, None, None]
    assert names(session) == ["new", "old judged"]
    (tmp_path / "pruned").write_text("1000\n")
    assert workers[1].run_if_due() == 0


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.usefixtures("filled")
def test_hosts_take_turns(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other_host = DailyPruning(engine, tmp_path / "b", 30)
    with engine.connect() as first_host:
        first_host.scalar(sa.text("SELECT pg_advisory_lock(:key)"), {"key": 0x626173747072756E})
        assert other_host.run_if_due() is None
        first_host.scalar(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": 0x626173747072756E})
    assert other_host.run_if_due() == 3


@pytest.mark.parametrize("kind", ["sqlite"])
def test_sqlite_gives_space_back(session: Session, engine: Engine, database_url: str) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    for _ in range(200):
        stored_event(session, prompt="x" * 20_000, timestamp=NOW - timedelta(days=90))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.stat().st_size

    prune(engine, Old(MONTH_AGO))

    session.close()
    engine.dispose()
    with sqlite3.connect(path) as alone:
        assert alone.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        alone.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    alone.close()
    assert path.stat().st_size < before / 4
