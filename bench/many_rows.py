"""A database as it is after a busy quarter: a million events, 400,000 triggers, 500 rules, filled in about a minute.

Texts are realistic prompts over and over; ids rise with time, as they do when events are recorded.
"""

import hashlib
import io
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import click
import sqlalchemy as sa
from uuid_utils import uuid7

from bastion.models import Event, Rule, RuleTrigger
from bench.realistic_prompts import generated_prompts
from bench.realistic_rules import generated_rules

EVENTS: Final = 1_000_000
RULES: Final = 500
TRIGGERED: Final = 0.25
"""Of the events; each has one to three triggers."""

SPAN: Final = timedelta(days=90)
SEED: Final = 20_261_123
BATCH: Final = 20_000

FLOWS: Final = ("default",) * 70 + ("base_audit",) * 28 + ("full_scan",) * 2
SOURCES: Final = ("chat",) * 60 + ("mail",) * 25 + ("search",) * 13 + (None,) + ("night-batch",)
STATUSES: Final = ("notify",) * 60 + ("block",) * 38 + ("error",) * 2
DISPOSITIONS: Final = (None,) * 70 + ("true_positive",) * 20 + ("false_positive",) * 7 + ("benign_positive",) * 3

EVENT_COLUMNS: Final = (
    *("id", "task_id", "prompt", "status", "flow_name", "pipeline_results", "timestamp", "uid", "source"),
    *("direction", "duration_us", "prompt_sha256"),
)
TRIGGER_COLUMNS: Final = (
    *("id", "event_id", "rule_id", "matched_text", "pipeline_name", "timestamp", "rule_version", "action"),
    *("severity", "spans", "view", "disposition", "reviewed_by"),
)


def fill(engine: sa.Engine, events: int = EVENTS, *, until: datetime | None = None) -> None:
    """Rows for the tables of an empty, migrated database."""
    until = until or datetime.now(UTC)
    dice = random.Random(SEED)
    with engine.begin() as connection:
        rules = _rules(connection)
    rows = _rows(dice, rules, events, until)
    with click.progressbar(length=events, label=f"{engine.dialect.name}: {events:,} events", file=sys.stderr) as bar:
        while batch := list(islice(rows, BATCH)):
            _insert(engine, Event, EVENT_COLUMNS, [event for event, _ in batch])
            _insert(engine, RuleTrigger, TRIGGER_COLUMNS, [trigger for _, found in batch for trigger in found])
            bar.update(len(batch))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "SELECT 1"))


def _rules(connection: sa.Connection) -> list[tuple[int, str, str | None]]:
    found = []
    for number, spec in enumerate(generated_rules(RULES), start=1):
        severity = spec.severity.value if spec.severity else None
        connection.execute(
            sa.insert(Rule).values(
                id=number,
                uuid=spec.uuid,
                name=f"{spec.name} {number}",
                details=spec.details,
                language=spec.language,
                pattern=spec.pattern,
                action=spec.action.value,
                severity=severity,
                category=spec.category,
            )
        )
        found.append((number, spec.action.value, severity))
    return found


def _rows(
    dice: random.Random, rules: Sequence[tuple[int, str, str | None]], events: int, until: datetime
) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    prompts = [(text, hashlib.sha256(text.encode()).hexdigest()) for text in generated_prompts(2000)]
    results = json.dumps({"status": "allow", "pipelines": [{"name": "rule", "status": "allow", "matches": []}]})
    # A few rules make most of the triggers, and most rules hardly any.
    weights = [1 / (place + 1) for place in range(len(rules))]
    step = SPAN / events
    triggers = 0
    for number in range(1, events + 1):
        moment = until - SPAN + step * number
        text, digest = prompts[dice.randrange(len(prompts))]
        chosen = dice.choices(rules, weights, k=dice.choice((1, 1, 2, 3))) if dice.random() < TRIGGERED else []
        found = []
        for rule, action, severity in {one[0]: one for one in chosen}.values():
            triggers += 1
            disposition = dice.choice(DISPOSITIONS)
            found.append((
                *(triggers, number, rule, text[:40], "rule", moment, 1, action, severity, "[[0,40]]"),
                *(dice.choice(("raw", "raw", "raw", "base64")), disposition, "ada" if disposition else None),
            ))  # fmt: skip
        status = dice.choice(STATUSES) if found else "allow"
        event = (
            *(number, f"task-{number}", text, status, dice.choice(FLOWS), results, moment, str(uuid7())),
            *(dice.choice(SOURCES), "input", dice.randrange(40, 4000), digest),
        )
        yield event, found


def _insert(engine: sa.Engine, table: type[Any], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    connection = engine.raw_connection()
    names = ", ".join(columns)
    try:
        cursor = connection.cursor()
        if engine.dialect.name == "postgresql":
            cursor.copy_expert(f"COPY {table.__tablename__} ({names}) FROM STDIN", _copied(rows))  # type: ignore[attr-defined]
        else:
            marks = ", ".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {table.__tablename__} ({names}) VALUES ({marks})", _as_text(rows))
        connection.commit()
    finally:
        connection.close()


def _copied(rows: Iterable[tuple[Any, ...]]) -> io.StringIO:
    return io.StringIO("".join("\t".join(map(_field, row)) + "\n" for row in rows))


def _field(value: Any) -> str:
    if value is None:
        return r"\N"
    escaped = str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return escaped.replace("\0", "\u2400")


def _as_text(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value for value in row)
