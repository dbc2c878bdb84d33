"""AIDR Bastion's databases, in both forms that are in the field, taken in with all that they hold."""

import hashlib
import re
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from bastion.errors import SchemaError
from bastion.extensions import db
from bastion.models import Event, Rule
from bastion.schema import init_db
from bastion.services.people.accounts import Role
from tests.conftest import log_in_as
from tests.databases import Databases
from tests.migrations import aidr_bastion
from tests.migrations.conftest import Migrate
from tests.migrations.support import HEAD, REVISIONS, content, fill, reflected, revision_of, schema

FORMS = ("by its server", "by its migration", "by its server, then stamped")
MOMENT = datetime(2025, 1, 13, 12, 0, 0, 123456)  # noqa: DTZ001 (AIDR Bastion's times are naive)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, engine: sa.Engine, migrate: Migrate) -> str:
    """Which way the database was made; it has no rows yet."""
    form = str(request.param)
    if form == "by its migration":
        migrate("upgrade", REVISIONS[0])
    else:
        aidr_bastion.METADATA.create_all(engine)
        if form != "by its server":
            migrate("stamp", REVISIONS[0])
    return form


@pytest.fixture
def fresh(databases: Databases, kind: str) -> sa.Engine:
    """A database that Bastion made."""
    return sa.create_engine(databases.migrated(kind).replace("postgresql://", "postgresql+psycopg2://"))


def test_an_adopted_database_is_a_fresh_one_with_its_rows(
    form: str, engine: sa.Engine, migrate: Migrate, fresh: sa.Engine
) -> None:
    fill(engine)
    old = reflected(engine)
    held = content(engine, old)

    migrate("upgrade")

    assert revision_of(engine) == HEAD
    assert content(engine, old) == held
    assert schema(engine) == schema(fresh)
    migrate("check")
    fresh.dispose()


def test_a_server_adopts_when_it_starts(form: str, bare_app: Flask, engine: sa.Engine, fresh: sa.Engine) -> None:
    with bare_app.app_context():
        init_db(auto_migrate=True)

    assert schema(engine) == schema(fresh)
    fresh.dispose()


def test_only_an_upgrade_adopts(engine: sa.Engine, migrate: Migrate) -> None:
    aidr_bastion.METADATA.create_all(engine)
    before = schema(engine)

    for command in (["current"], ["history"], ["heads"], ["show"]):
        migrate(*command)
    migrate("check", fails=True)
    migrate("migrate", "-m", "nothing", fails=True)
    migrate("downgrade", fails=True)

    assert set(sa.inspect(engine).get_table_names()) == {"events", "rule_triggers", "rules"}
    assert schema(engine) == before


@pytest.mark.parametrize("with_trigger", [True, False])
def test_old_events_show_their_triggered_rules(
    form: str, bare_app: Flask, engine: sa.Engine, migrate: Migrate, with_trigger: bool
) -> None:
    """AIDR Bastion names them in the results alone: no version of it ever wrote a trigger."""
    times = {"created_at": MOMENT, "updated_at": MOMENT}
    kind = {"language": "llm-regex-pattern", "pattern": "(?i)forget everything", "action": "block", "enabled": True}
    event = {"prompt": "Forget everything.", "status": "block", "flow_name": "base_audit"}
    trigger = {"matched_text": "Forget everything", "pipeline_name": "rule"}
    with engine.begin() as connection:
        connection.execute(sa.insert(aidr_bastion.RULES).values(id=7, **aidr_bastion.RULE, **kind, **times))
        results = aidr_bastion.RESULTS
        connection.execute(
            sa.insert(aidr_bastion.EVENTS).values(id=40, **event, pipeline_results=results, timestamp=MOMENT)
        )
        if with_trigger:
            connection.execute(
                sa.insert(aidr_bastion.TRIGGERS).values(id=3, event_id=40, rule_id=7, **trigger, timestamp=MOMENT)
            )

    migrate("upgrade")

    with bare_app.app_context():
        stored = db.session.get_one(Event, 40)
        assert stored.pipeline_results == results
        assert stored.timestamp.isoformat() == "2025-01-13T12:00:00.123456+00:00"
        # 2025-01-13 12:00:00.123 UTC is 0x01945f88fa7b milliseconds after 1970.
        assert stored.uid.startswith("01945f88-fa7b-7")
        assert [(row.id, row.rule_id) for row in stored.triggers] == ([(3, 7)] if with_trigger else [])
        assert db.session.get_one(Rule, 7).spec.uuid == aidr_bastion.RULE["uuid"]
        uid = stored.uid
    client = log_in_as(bare_app, Role.VIEWER)
    for key in ("40", uid):
        page = client.get(f"/events/{key}", follow_redirects=True)
        assert page.status_code == 200
        shown = re.sub(r"<pre.*?</pre>", "", page.text, flags=re.DOTALL)
        assert aidr_bastion.RULE["name"] in shown
        assert ('href="/rules/7"' in shown) >= with_trigger
    assert client.get("/rules/7").status_code == 200


def test_new_rows_follow_the_adopted_ones(form: str, bare_app: Flask, engine: sa.Engine, migrate: Migrate) -> None:
    """On PostgreSQL ids come from a sequence that the upgrade must not reset."""
    with engine.begin() as connection:
        for _ in range(5):
            connection.execute(
                sa.insert(aidr_bastion.EVENTS).values(status="allow", flow_name="default", timestamp=MOMENT)
            )

    migrate("upgrade")

    with bare_app.app_context():
        event = Event(status="allow", flow_name="default")
        db.session.add(event)
        db.session.commit()
        assert event.id == 6


def test_a_misfit_is_refused_with_every_difference_and_left_alone(
    bare_app: Flask, engine: sa.Engine, migrate: Migrate, instance: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Not the application's, which would put an SQLite file in WAL mode.
    engine = sa.create_engine(engine.url)
    aidr_bastion.METADATA.create_all(engine)
    fill(engine, rows=5)
    with engine.begin() as connection:
        for change in (
            "ALTER TABLE rules ADD COLUMN owner VARCHAR(10)",
            "ALTER TABLE events RENAME COLUMN prompt TO body",
            "DROP INDEX ix_events_status",
            "CREATE INDEX mine ON events (flow_name, status)",
            "DROP INDEX ix_rules_uuid",
            "CREATE INDEX ix_rules_uuid ON rules (uuid)",
        ):
            connection.execute(sa.text(change))
    before, tables = schema(engine), sa.inspect(engine).get_table_names()
    held = content(engine, reflected(engine))
    engine.dispose()
    checksum = _checksum(engine)

    migrate("upgrade", fails=True)

    for difference in (
        "rules.owner: not wanted, is VARCHAR(10) NULL",
        "events.body: not wanted, is TEXT NULL",
        "events.prompt: missing, wants TEXT NULL",
        "index ix_events_status: missing, wants on events (status)",
        "index mine: not wanted, is on events (flow_name, status)",
        "index ix_rules_uuid: is on rules (uuid), wants UNIQUE on rules (uuid)",
    ):
        assert f"\n  {difference}\n" in caplog.text
    assert "flask db stamp" in caplog.text
    with bare_app.app_context(), pytest.raises(SchemaError, match=r"rules\.owner: not wanted"):
        init_db(auto_migrate=True)
    assert _checksum(engine) == checksum
    assert not (instance / "backups").exists()
    assert (schema(engine), sa.inspect(engine).get_table_names()) == (before, tables)
    assert content(engine, reflected(engine)) == held
    engine.dispose()


def test_rows_that_refer_to_nothing_are_a_difference(
    engine: sa.Engine, migrate: Migrate, caplog: pytest.LogCaptureFixture
) -> None:
    """AIDR Bastion does not switch SQLite's foreign keys on."""
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no such rows")
    aidr_bastion.METADATA.create_all(engine)
    fill(engine, rows=5)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("DELETE FROM rules WHERE id < 6")
        connection.commit()
    engine.dispose()

    migrate("upgrade", fails=True)

    assert "rule_triggers: 2 rows refer to rows of rules that are not there" in caplog.text
    assert not sa.inspect(engine).has_table("alembic_version")


def test_tables_of_others_are_none_of_ours(engine: sa.Engine, migrate: Migrate) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE invoices (id INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO invoices VALUES (1)"))

    migrate("upgrade")
    migrate("downgrade", "base")

    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM invoices")) == 1


def _checksum(engine: sa.Engine) -> str:
    """Of the bytes of an SQLite file."""
    if engine.dialect.name != "sqlite":
        return ""
    return hashlib.sha256(Path(str(engine.url.database)).read_bytes()).hexdigest()
