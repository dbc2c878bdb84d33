"""The schema when a server starts: brought up to date once, or refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.pool import NullPool

from bastion.engine import Views
from bastion.errors import SchemaError
from bastion.extensions import db
from bastion.models import Event, Rule, RuleTrigger
from bastion.schema import current_revision, init_db
from bastion.schema.locking import alone
from bastion.services.events.stored_events import EventFilter, page_of_events
from tests.conftest import ROOT, clean_environment
from tests.migrations.conftest import Migrate
from tests.migrations.support import HEAD, REVISIONS, revision_of

START = [sys.executable, "-c", "import wsgi"]


def test_many_that_start_at_once_make_one_schema(
    engine: sa.Engine, blank: str, instance: Path, migrate: Migrate
) -> None:
    environment = clean_environment(DATABASE_URL=blank, BASTION_INSTANCE=str(instance))
    starting = [
        subprocess.Popen(START, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]

    migrated = 0
    for process in starting:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        migrated += f"migrated to {HEAD}" in output
    assert migrated == 1
    assert revision_of(engine) == HEAD
    migrate("check")


def test_whoever_comes_second_waits_and_says_so(
    blank: str, instance: Path, engine: sa.Engine, migrate: Migrate
) -> None:
    migrate("upgrade", "008_times_with_zone")
    environment = clean_environment(DATABASE_URL=blank, BASTION_INSTANCE=str(instance))
    first = sa.create_engine(engine.url, poolclass=NullPool)
    with first.connect() as connection, alone(connection):
        second = subprocess.Popen(START, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert second.stdout
        assert second.stdout.readline() == "another process migrates this database: waiting for it\n"
        assert revision_of(engine) == "008_times_with_zone"
    rest = second.communicate()[0]

    assert second.returncode == 0
    steps = len(REVISIONS) - REVISIONS.index("008_times_with_zone") - 1
    assert f"migrated to {HEAD} ({steps} of {steps}" in rest
    assert revision_of(engine) == HEAD


def test_a_server_that_may_not_migrate_refuses_an_old_schema(
    engine: sa.Engine, blank: str, instance: Path, migrate: Migrate
) -> None:
    migrate("upgrade", "003_rule_life")
    environment = clean_environment(DATABASE_URL=blank, BASTION_INSTANCE=str(instance), BASTION_AUTO_MIGRATE="0")

    refused = subprocess.run(START, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)

    assert refused.returncode == 3
    assert f"is at revision 003_rule_life, this version needs {HEAD}: run `flask db upgrade`" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert revision_of(engine) == "003_rule_life"
    environment["BASTION_AUTO_MIGRATE"] = "1"
    subprocess.run(START, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert revision_of(engine) == HEAD


@pytest.mark.parametrize("auto_migrate", [True, False])
def test_a_newer_schema_is_refused_with_what_to_do(
    bare_app: Flask, engine: sa.Engine, migrate: Migrate, auto_migrate: bool
) -> None:
    migrate("upgrade")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '999_newer'"))

    with bare_app.app_context(), pytest.raises(SchemaError, match=r"'999_newer'.*\n.*\nIf a newer Bastion migrated"):
        init_db(auto_migrate=auto_migrate)


def test_the_models_round_trip(app: Flask) -> None:
    with app.app_context():
        init_db(auto_migrate=False)
        assert current_revision() == HEAD
        rule = Rule(uuid="u", name="n", details="d", language="l", pattern="p", action="block", tags=("a", "b"))
        event = Event(status="block", flow_name="default", context={"deep": [1, None]})
        db.session.add_all([rule, event])
        db.session.flush()
        db.session.add(RuleTrigger(event_id=event.id, rule_id=rule.id, pipeline_name="rule", spans=[[0, 1]]))
        db.session.commit()
        db.session.expire_all()
        assert (rule.tags, rule.references, rule.version, rule.enabled) == (("a", "b"), (), 1, True)
        assert rule.views == "all"
        assert rule.created_at.utcoffset() is not None
        assert event.context == {"deep": [1, None]}
        assert event.triggers[0].spans == [[0, 1]]
        with pytest.raises(sa.exc.IntegrityError):
            db.session.execute(sa.delete(Rule))
        db.session.rollback()
        db.session.execute(sa.delete(Event))
        assert db.session.scalar(sa.select(sa.func.count(RuleTrigger.id))) == 0


def test_a_rule_that_aidr_bastion_adds_is_looked_for_in_all_views(app: Flask) -> None:
    """It names only the columns that it knows."""
    with app.app_context():
        db.session.execute(
            sa.text(
                "INSERT INTO rules (uuid, name, details, language, pattern, action) "
                "VALUES ('u', 'n', 'd', 'llm-regex-pattern', 'p', 'block')"
            )
        )
        assert db.session.scalars(sa.select(Rule)).one().spec.views is Views.ALL


def test_times_without_fractions_page_like_all_others(bare_app: Flask, engine: sa.Engine, migrate: Migrate) -> None:
    """SQLite's own CURRENT_TIMESTAMP writes none, and compares times as text."""
    migrate("upgrade", REVISIONS[0])
    with engine.begin() as connection:
        for _ in range(5):
            connection.execute(
                sa.text(
                    "INSERT INTO events (status, flow_name, timestamp) VALUES ('allow', 'x', '2025-01-13 12:00:00')"
                )
            )
    migrate("upgrade")

    with bare_app.app_context():
        first = page_of_events(db.session(), EventFilter(), per_page=3, bookmark=None)
        second = page_of_events(db.session(), EventFilter(), per_page=3, bookmark=first.paging.bookmark_next)
        assert [row.id for row in (*first, *second)] == [5, 4, 3, 2, 1]
