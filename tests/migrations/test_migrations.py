"""The schema's history, on both databases: forth and back with rows in the tables."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from bastion import create_app
from bastion.engine import Views
from bastion.extensions import db
from bastion.models import Event, Rule, RuleTrigger
from bastion.schema import current_revision, init_db
from bastion.services.events import EventFilter, page_of_events
from tests.conftest import ROOT, clean_environment
from tests.databases import Databases

REVISIONS = [
    "001_initial",
    "002_one_uuid_index",
    "003_rule_life",
    "004_event_identity",
    "005_trigger_evidence",
    "006_keep_evidence",
    "007_wide_ids",
    "008_times_with_zone",
    "009_list_indexes",
    "010_rule_views",
]
ROWS = 40


def flask(url: str, instance: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(DATABASE_URL=url, BASTION_INSTANCE=str(instance), **settings)
    command = [str(Path(sys.executable).parent / "flask"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture
def blank(databases: Databases, kind: str) -> str:
    return databases.blank(kind)


@pytest.fixture
def engine(blank: str, instance: Path) -> sa.Engine:
    app = create_app(database_url=blank, bastion_instance=instance)
    with app.app_context():
        return db.engine


def fill(engine: sa.Engine) -> None:
    """Rows as AIDR Bastion writes them, every column filled."""
    with engine.begin() as connection:
        for number in range(1, ROWS + 1):
            connection.execute(
                sa.text(
                    "INSERT INTO rules (id, uuid, name, details, language, pattern, action, severity, category, "
                    "cwe_id, enabled, created_at, updated_at) VALUES (:n, :u, 'name', 'details', "
                    "'llm-regex-pattern', 'pattern', 'block', 'high', 'injection', 'CWE-94', :e, "
                    "'2025-01-13 10:00:00.000001', '2025-01-13 11:00:00.000001')"
                ),
                {"n": number, "u": f"uuid-{number}", "e": bool(number % 2)},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO events (id, task_id, prompt, status, flow_name, pipeline_results, timestamp) "
                    "VALUES (:n, 'task', 'пример 😀', 'block', 'base_audit', :r, '2025-01-13 12:00:00.123456')"
                ),
                {"n": number, "r": json.dumps({"status": "block", "pipelines": []})},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO rule_triggers (id, event_id, rule_id, matched_text, pipeline_name, timestamp) "
                    "VALUES (:n, :n, :n, 'matched', 'rule', '2025-01-13 12:00:00.123456')"
                ),
                {"n": number},
            )


def content(engine: sa.Engine) -> dict[str, list[tuple[object, ...]]]:
    """What the first revision's columns hold, as text, so that both ends of an upgrade compare."""
    columns = {
        "rules": "id, uuid, name, details, language, pattern, action, severity, category, cwe_id, enabled",
        "events": "id, task_id, prompt, status, flow_name, CAST(pipeline_results AS TEXT)",
        "rule_triggers": "id, event_id, rule_id, matched_text, pipeline_name",
    }
    times = {"rules": "created_at", "events": "timestamp", "rule_triggers": "timestamp"}
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET TIME ZONE 'UTC'"))
        return {
            table: [
                (*row[:-1], str(row[-1]).removesuffix("+00"))
                for row in connection.execute(
                    sa.text(f"SELECT {names}, CAST({times[table]} AS TEXT) FROM {table} ORDER BY id")
                )
            ]
            for table, names in columns.items()
        }


def test_the_history_is_one_line(engine: sa.Engine, blank: str, instance: Path) -> None:
    shown = flask(blank, instance, "db", "history").stdout

    assert [line.split(" -> ")[1].split(" ")[0].rstrip(",") for line in reversed(shown.splitlines())] == REVISIONS


def test_every_revision_goes_up_and_down_and_loses_nothing(engine: sa.Engine, blank: str, instance: Path) -> None:
    assert flask(blank, instance, "db", "upgrade", "001_initial").returncode == 0
    fill(engine)
    before = content(engine)
    for revision in REVISIONS[1:]:
        done = flask(blank, instance, "db", "upgrade", "+1")
        assert done.returncode == 0, done.stderr
        assert content(engine) == before, revision
    for revision in reversed(REVISIONS[:-1]):
        done = flask(blank, instance, "db", "downgrade")
        assert done.returncode == 0, done.stderr
        assert content(engine) == before, revision
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == revision


def test_a_fresh_database_is_what_the_models_say(engine: sa.Engine, blank: str, instance: Path) -> None:
    assert flask(blank, instance, "db", "upgrade").returncode == 0

    checked = flask(blank, instance, "db", "check")

    assert checked.returncode == 0, checked.stderr
    assert set(sa.inspect(engine).get_table_names()) == {"rules", "events", "rule_triggers", "alembic_version"}
    assert flask(blank, instance, "db", "downgrade", "base").returncode == 0
    assert flask(blank, instance, "db", "upgrade").returncode == 0
    assert flask(blank, instance, "db", "check").returncode == 0


def test_the_first_revision_is_aidr_bastions(engine: sa.Engine, blank: str, instance: Path) -> None:
    flask(blank, instance, "db", "upgrade", "001_initial")

    inspected = sa.inspect(engine)
    postgres = engine.dialect.name == "postgresql"
    rules = {column["name"]: column for column in inspected.get_columns("rules")}
    assert list(rules) == [
        *("id", "uuid", "name", "details", "language", "pattern", "action", "severity", "category", "cwe_id"),
        *("enabled", "created_at", "updated_at"),
    ]
    assert [name for name, column in rules.items() if column["nullable"]] == ["severity", "category", "cwe_id"]
    assert inspected.get_unique_constraints("rules")[0]["column_names"] == ["uuid"]
    indexes = {
        (table, index["name"], bool(index["unique"]))
        for table in ("rules", "events", "rule_triggers")
        for index in inspected.get_indexes(table)
        if not index.get("duplicates_constraint")
    }
    assert indexes == {
        ("rules", "ix_rules_uuid", True),
        *(("events", f"ix_events_{name}", False) for name in ("flow_name", "status", "task_id", "timestamp")),
        *(("rule_triggers", f"ix_rule_triggers_{name}", False) for name in ("event_id", "rule_id", "timestamp")),
    }
    results = {column["name"]: column for column in inspected.get_columns("events")}["pipeline_results"]
    assert isinstance(results["type"], sa.JSON if postgres else sa.Text)
    assert {key["options"]["ondelete"] for key in inspected.get_foreign_keys("rule_triggers")} == {"CASCADE"}
    if postgres:
        assert inspected.get_pk_constraint("rules")["name"] == "rules_pkey"
        assert inspected.get_unique_constraints("rules")[0]["name"] == "rules_uuid_key"


def test_old_events_get_uids_that_sort_by_their_time(engine: sa.Engine, blank: str, instance: Path) -> None:
    flask(blank, instance, "db", "upgrade", "001_initial")
    fill(engine)

    assert flask(blank, instance, "db", "upgrade").returncode == 0

    app = create_app(database_url=blank, bastion_instance=instance)
    with app.app_context():
        uids = list(db.session.scalars(sa.select(Event.uid)))
        assert len(set(uids)) == ROWS
        # 2025-01-13 12:00:00.123 UTC is 0x01945f88fa7b milliseconds after 1970.
        assert {uid[:13] for uid in uids} == {"01945f88-fa7b"}
        event = db.session.get_one(Event, 1)
        assert event.timestamp.isoformat() == "2025-01-13T12:00:00.123456+00:00"
        assert event.pipeline_results == {"status": "block", "pipelines": []}
        assert [trigger.rule.uuid for trigger in event.triggers] == ["uuid-1"]


def test_a_new_row_follows_the_adopted_ones(engine: sa.Engine, blank: str, instance: Path) -> None:
    """On PostgreSQL the ids are given by a sequence that the upgrade must not reset."""
    flask(blank, instance, "db", "upgrade", "001_initial")
    fill(engine)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            for table in ("rules", "events", "rule_triggers"):
                connection.execute(sa.text(f"SELECT setval('{table}_id_seq', {ROWS})"))

    assert flask(blank, instance, "db", "upgrade").returncode == 0

    app = create_app(database_url=blank, bastion_instance=instance)
    with app.app_context():
        event = Event(status="allow", flow_name="default")
        db.session.add(event)
        db.session.commit()
        assert event.id == ROWS + 1


def test_views_come_and_go_with_their_revision(engine: sa.Engine, blank: str, instance: Path) -> None:
    assert flask(blank, instance, "db", "upgrade", "001_initial").returncode == 0
    fill(engine)
    before = content(engine)

    assert flask(blank, instance, "db", "upgrade", "010_rule_views").returncode == 0

    def columns() -> dict[str, Any]:
        return {column["name"]: column for column in sa.inspect(engine).get_columns("rules")}

    added = columns()["views"]
    assert (added["nullable"], added["type"].length) == (False, 10)
    with engine.begin() as connection:
        assert set(connection.scalars(sa.text("SELECT views FROM rules"))) == {"all"}
        connection.execute(sa.text("UPDATE rules SET views = 'raw' WHERE id < 3"))
    done = flask(blank, instance, "db", "downgrade", "009_list_indexes")
    assert done.returncode == 0, done.stderr
    assert "views" not in columns()
    assert content(engine) == before
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert "AUTOINCREMENT" in str(
                connection.scalar(sa.text("SELECT sql FROM sqlite_master WHERE name='rules'"))
            )
    assert flask(blank, instance, "db", "upgrade").returncode == 0
    assert flask(blank, instance, "db", "check").returncode == 0


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


def test_flask_commands_never_migrate_by_themselves(engine: sa.Engine, blank: str, instance: Path) -> None:
    flask(blank, instance, "db", "upgrade", "003_rule_life")

    assert "003_rule_life" in flask(blank, instance, "db", "current").stdout
    assert flask(blank, instance, "routes").returncode == 0
    assert flask(blank, instance, "db", "downgrade").returncode == 0
    assert "002_one_uuid_index" in flask(blank, instance, "db", "current").stdout


def test_a_server_that_may_not_migrate_refuses_an_old_schema(engine: sa.Engine, blank: str, instance: Path) -> None:
    flask(blank, instance, "db", "upgrade", "003_rule_life")
    start = [sys.executable, "-c", "import wsgi"]
    environment = clean_environment(DATABASE_URL=blank, BASTION_INSTANCE=str(instance), BASTION_AUTO_MIGRATE="0")

    refused = subprocess.run(start, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)

    assert refused.returncode != 0
    for word in ("003_rule_life", REVISIONS[-1], "flask db upgrade"):
        assert word in refused.stderr
    environment["BASTION_AUTO_MIGRATE"] = "1"
    subprocess.run(start, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert REVISIONS[-1] in flask(blank, instance, "db", "current").stdout


def test_many_that_start_at_once_make_one_schema(engine: sa.Engine, blank: str, instance: Path) -> None:
    environment = clean_environment(DATABASE_URL=blank, BASTION_INSTANCE=str(instance))
    starting = [
        subprocess.Popen([sys.executable, "-c", "import wsgi"], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
        for _ in range(8)
    ]

    for process in starting:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    assert REVISIONS[-1] in flask(blank, instance, "db", "current").stdout
    assert flask(blank, instance, "db", "check").returncode == 0


def test_an_empty_difference_writes_no_migration(engine: sa.Engine, blank: str, instance: Path) -> None:
    assert flask(blank, instance, "db", "upgrade").returncode == 0
    versions = ROOT / "migrations" / "versions"
    before = sorted(versions.iterdir())

    done = flask(blank, instance, "db", "migrate", "-m", "nothing")

    assert done.returncode == 0, done.stderr
    assert "no migration is needed" in done.stdout
    assert sorted(versions.iterdir()) == before


def test_the_models_round_trip(app: Flask) -> None:
    with app.app_context():
        init_db(auto_migrate=False)
        assert current_revision() == REVISIONS[-1]
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


def test_adopted_rows_with_times_without_fractions_page_like_all_others(
    engine: sa.Engine, blank: str, instance: Path
) -> None:
    """SQLite's own CURRENT_TIMESTAMP writes none, and compares times as text."""
    flask(blank, instance, "db", "upgrade", "001_initial")
    with engine.begin() as connection:
        for _ in range(5):
            connection.execute(
                sa.text(
                    "INSERT INTO events (status, flow_name, timestamp) VALUES ('allow', 'x', '2025-01-13 12:00:00')"
                )
            )
    flask(blank, instance, "db", "upgrade")

    app = create_app(database_url=blank, bastion_instance=instance)
    with app.app_context():
        first = page_of_events(db.session(), EventFilter(), per_page=3, bookmark=None)
        second = page_of_events(db.session(), EventFilter(), per_page=3, bookmark=first.paging.bookmark_next)
        assert [row.id for row in (*first, *second)] == [5, 4, 3, 2, 1]
