"""The system page: what it knows, and what it never shows."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.runtime import Runtime
from bastion.services import system_facts
from bastion.services.people.accounts import Role
from bastion.services.system_facts import HIDDEN, is_secret, masked_url, settings_in_force
from bastion.settings import Settings
from tests.conftest import log_in_as
from tests.factories import stored_event, stored_rule
from tests.queries import statements

SECRET = "c0ffee1234567890deadbeef"
SHOWN = {
    *("bastion_instance", "database_url", "database_echo", "database_pool_size", "database_max_overflow"),
    *("database_save_prompt", "host", "port", "bastion_flows", "bastion_auto_migrate", "bastion_workers"),
    *("bastion_threads", "bastion_proxies", "bastion_api_rate", "bastion_anonymous_networks"),
    *("bastion_viewer_groups", "bastion_analyst_groups", "bastion_admin_groups", "bastion_oidc_issuer"),
    *("bastion_oidc_client_id", "bastion_oidc_scopes", "bastion_oidc_name_claim", "bastion_oidc_groups_claim"),
    *("bastion_sqlite_synchronous", "bastion_spool_max_mb", "bastion_retention_days", "bastion_log_format"),
    *("bastion_proxy_addresses", "bastion_proxy_user_header", "bastion_proxy_groups_header"),
    "bastion_client_seconds",
}
"""Settings that were looked at and are no secrets."""


def facts(page: str) -> dict[str, str]:
    found = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", page, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]+>", " ", value).split()) for name, value in found}


def test_no_setting_is_shown_that_nobody_looked_at() -> None:
    """A new field: give it ``repr=False`` if it is a secret, or else add it to the list above."""
    shown = {name for name in Settings.model_fields if not is_secret(Settings, name)}

    assert shown == SHOWN


def test_a_secret_is_known_by_its_field_or_by_its_name() -> None:
    class More(Settings):
        smtp_password: str = ""
        bastion_api_key: str = ""
        bastion_keyboard: str = ""

    secrets = {name for name in More.model_fields if is_secret(More, name)}

    assert secrets == {"secret_key", "bastion_oidc_client_secret", "smtp_password", "bastion_api_key"}


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    settings = Settings(
        secret_key=f"{SECRET}-and-much-longer-than-that",
        bastion_oidc_client_secret=SECRET,
        bastion_oidc_issuer=f"https://user:{SECRET}@login.example/realm?token={SECRET}",
        database_url=f"postgresql://bastion:{SECRET}@db.example/bastion?password={SECRET}&sslmode=require",
        bastion_instance=tmp_path,
    )

    found = {setting.name: setting.value for setting in settings_in_force(settings)}

    assert set(found) == {name.upper() for name in Settings.model_fields}
    assert SECRET not in str(found)
    assert found["SECRET_KEY"] == found["BASTION_OIDC_CLIENT_SECRET"] == HIDDEN
    assert found["DATABASE_URL"].startswith("postgresql+psycopg2://bastion:***@db.example/bastion?")
    assert "sslmode=require" in found["DATABASE_URL"]
    assert "login.example/realm" in found["BASTION_OIDC_ISSUER"]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("sqlite:////srv/bastion.db", "sqlite:////srv/bastion.db"),
        ("postgresql://host/name", "postgresql://host/name"),
        ("https://name:word@host:99999999/", "https://name:***@host:99999999/"),
        ("https://name:word@host:port/?key=word", "https://***@host:port/"),
        ("no url", "no url"),
    ],
)
def test_a_url_keeps_all_but_its_passwords(url: str, wanted: str) -> None:
    assert masked_url(url) == wanted


def test_the_page_names_what_is_in_force(
    analyst: FlaskClient, session: Session, parts: Runtime, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASTION_TYPO", "x" + SECRET)
    monkeypatch.setenv("KAFKA__BROKER", SECRET)
    stored_event(session, rules=(stored_rule(session),))
    (parts.settings.instance / "cache").mkdir(exist_ok=True)
    (parts.settings.instance / "cache" / "one").write_bytes(b"x" * 2048)

    page = analyst.get("/system/").get_data(as_text=True)

    found = facts(page)
    assert found["Rules in force"] == "1"
    assert found["Found by"] == "hyperscan (rule)"
    assert found["Kind"].startswith({"sqlite": "SQLite 3", "postgresql": "PostgreSQL 1"}[kind])
    assert re.match(r"\d+_\w+ \(the newest\)", found["Schema"])
    assert found["Rules stored"] == "1"
    # PostgreSQL says what it estimated when it last looked.
    assert found["Events, about"] == "1" if kind == "sqlite" else found["Events, about"] in "0 1 not estimated yet"
    assert re.fullmatch(r"[\d.]+ [kM]B", found["Size"])
    assert found["Spool"] == "nothing waits"
    assert int(found["Compiled rules kept"].split()[0]) >= 1
    assert {"Flask", "SQLAlchemy", "hyperscan", "Python"} <= set(found)
    assert "2 of 16 threads" in found["Workers"]
    assert "pii, secret, secrets" in page
    assert "<code>BASTION_TYPO</code>, <code>KAFKA__BROKER</code>" in page
    assert SECRET not in page


def test_what_waits_in_the_spool_is_said(analyst: FlaskClient, parts: Runtime) -> None:
    spool = parts.settings.instance / "spool"
    spool.mkdir(exist_ok=True)
    (spool / "001700000000000-1-abcdef.jsonl").write_text("one\ntwo\n")

    page = analyst.get("/system/").get_data(as_text=True)

    assert facts(page)["Spool"].startswith("2 events wait, 8 Bytes, since 20")
    assert "2 events wait in the spool" in page


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_page_is_there_when_the_database_is_not(analyst: FlaskClient, session: Session) -> None:
    stored_rule(session)
    analyst.get("/system/")
    for table in ("rule_triggers", "events", "rules"):
        session.execute(sa.text(f"DROP TABLE {table}"))
    session.commit()

    page = analyst.get("/system/").get_data(as_text=True)

    assert "The database cannot be reached (OperationalError). The rules in force stay." in page
    assert facts(page)["Rules in force"] == "1"


def test_large_tables_are_not_counted(session: Session, engine: sa.Engine, parts: Runtime) -> None:
    for _ in range(3):
        stored_event(session)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE events"))
        with statements(engine) as asked:
            tables = system_facts.database_facts(connection, parts.settings).tables

    assert ("events", 3) in {(table.name, table.rows) for table in tables}
    assert not [text for text in asked if "count(" in text.lower() and "events" in text.lower()]


def test_who_may_look_is_as_it_was(app: Flask, client: FlaskClient) -> None:
    assert client.get("/system/").status_code == 302
    assert log_in_as(app, Role.VIEWER).get("/system/").status_code == 200
