"""Rules that a host keeps on its disk, for a worker that starts while the database is away."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine.exceptions import ExceptionKind, RuleException
from bastion.errors import RulesUnavailable
from bastion.firewall.kept_rules import RULES_FILE, KeptRules, StoredRules, UnreadableRule
from bastion.firewall.live import LiveRules
from bastion.runtime import Runtime
from tests.factories import rule_spec, stored_rule

DATABASE = sa.make_url("postgresql://bastion:one@db/bastion")
NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
RULES = StoredRules(
    (2, 7, 9, 2, NOW),
    (
        rule_spec(
            id=3, version=4, name="Ünïcode \u2028 \U0001f600", tags=("LLM01:2025",), must_match=("ignore previous",)
        ),
        rule_spec(
            id=7,
            exceptions=(
                RuleException(id="a", kind=ExceptionKind.TEXT, value="x", reason="r", created_at=NOW, until=NOW),
            ),
        ),
    ),
    (UnreadableRule(8, "Nonsense", "'explode' is not a valid Action"),),
)


@pytest.fixture
def kept(tmp_path: Path) -> KeptRules:
    kept = KeptRules(tmp_path / RULES_FILE, DATABASE)
    kept.keep(RULES)
    return kept


def test_what_is_kept_comes_back_whole(kept: KeptRules) -> None:
    found = kept.read()

    assert found is not None
    assert found[0] == RULES
    assert abs(datetime.now(UTC) - found[1]) < timedelta(minutes=1)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert [*kept.path.parent.iterdir()] == [kept.path]


def test_it_says_when_the_database_last_confirmed_it(tmp_path: Path, kept: KeptRules) -> None:
    os.utime(kept.path, (NOW.timestamp(), NOW.timestamp()))
    found = kept.read()
    assert found is not None
    assert abs(found[1] - NOW) < timedelta(seconds=1)

    KeptRules(kept.path, DATABASE).confirm()

    found = kept.read()
    assert found is not None
    assert datetime.now(UTC) - found[1] < timedelta(minutes=1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content.replace(b'"block"', b'"notify"', 1),
        lambda content: b"",
        lambda content: b"\0" * len(content),
        lambda content: content.partition(b"\n")[2],
        # What SHA-256 says of the two characters, so that only what they say is wrong.
        lambda content: b"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}",
    ],
)
def test_a_damaged_file_is_no_rules(kept: KeptRules, damage: object, caplog: pytest.LogCaptureFixture) -> None:
    kept.path.write_bytes(damage(kept.path.read_bytes()))  # type: ignore[operator]

    assert kept.read() is None
    assert "are damaged and ignored" in caplog.text
    assert "previous" not in caplog.text


def test_rules_of_another_database_are_no_rules(kept: KeptRules) -> None:
    assert KeptRules(kept.path, DATABASE.set(database="other")).read() is None
    assert KeptRules(kept.path, DATABASE.set(password="two")).read() is not None


def test_a_folder_that_takes_nothing_costs_only_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptRules(tmp_path / "gone" / RULES_FILE, DATABASE)
    kept.keep(RULES)

    assert "are not kept" in caplog.text
    assert kept.read() is None


def test_rules_from_disk_are_in_force_until_the_database_can_be_read(
    analyst: FlaskClient, session: Session, parts: Runtime
) -> None:
    rule = stored_rule(session)
    live = parts.firewall.rules
    live.refresh()
    elsewhere = sa.create_engine("sqlite:////nowhere/at/all.db")
    later = LiveRules(elsewhere, live._compiler, live._kept)

    found = later.current()
    later.stop()

    assert [spec.uuid for spec in found.specs] == [rule.uuid]
    assert found.kept_at is not None
    assert later.unreachable_since == found.kept_at
    parts.firewall.rules = later
    assert analyst.get("/readyz").get_json()["rules_unread_since"] == found.kept_at.isoformat(timespec="seconds")
    assert analyst.get("/readyz").get_json()["status"] == "degraded"
    assert "kept on this host's disk" in analyst.get("/system/").get_data(as_text=True)
    # The same revision, and yet not taken for what the database has.
    later._database = live._database
    assert later.refresh().kept_at is None
    parts.firewall.rules = live
    assert analyst.get("/readyz").get_json()["rules_unread_since"] is None
    elsewhere.dispose()


def test_a_change_to_a_rule_is_kept(session: Session, parts: Runtime) -> None:
    live = parts.firewall.rules
    first, second = stored_rule(session), stored_rule(session)
    live.refresh()
    second.enabled = False
    session.commit()
    live.refresh()

    found = live._kept.read()

    assert found is not None
    assert [spec.uuid for spec in found[0].specs] == [first.uuid]


def test_without_kept_rules_there_are_none(session: Session, parts: Runtime, tmp_path: Path) -> None:
    elsewhere = sa.create_engine("sqlite:////nowhere/at/all.db")
    live = LiveRules(elsewhere, parts.firewall.rules._compiler, KeptRules(tmp_path / RULES_FILE, DATABASE))
    with pytest.raises(RulesUnavailable):
        live.current()
    elsewhere.dispose()
