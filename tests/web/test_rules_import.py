"""Rule files in and out by the pages."""

import io
import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from bastion.engine import Action
from bastion.models import Rule
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from bastion.services.rules.history import versions
from bastion.services.rules.stored_rules import update_rule
from bastion.web.rules import importing
from tests.factories import stored_rule

RULE = "name: {name}\ndetails: d\nuuid: {name}\ndetection:\n  pattern: '(?i)cat'\n"


def upload(client: FlaskClient, *files: tuple[str, bytes], **fields: str) -> TestResponse:
    sent = [(io.BytesIO(content), name) for name, content in files]
    return client.post("/rules/import", data={"files": sent, **fields}, content_type="multipart/form-data")


def plan_of(page: str) -> str:
    found = re.search(r'name="plan" value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_a_preview_says_what_would_happen_and_that_is_what_happens(admin: FlaskClient, session: Session) -> None:
    stored_rule(session, uuid="b", name="b", pattern="(?i)<b>dog", action=Action.NOTIFY, must_match=("a <b>dog",))
    kept = stored_rule(session)
    content = (RULE.format(name="<i>a") + "---\n" + RULE.format(name="b").replace("cat", "<b>cats|<b>dog")).encode()

    answer = upload(admin, ("rules.yml", content))

    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "1 new, 1 changed, 0 the same" in page
    assert "&lt;i&gt;a" in page
    assert "<caption>Pattern</caption>" in page
    assert re.search("<ins>[^/]*cats", page)
    assert "<i>a" not in page
    assert session.query(Rule).count() == 2
    done = admin.post("/rules/import/apply", data={"plan": plan_of(page), "comment": "from the pack"})
    assert done.status_code == 302
    session.expire_all()
    stored = {rule.uuid: rule for rule in session.query(Rule)}
    assert stored["b"].pattern == "(?i)<b>cats|<b>dog"
    assert stored["b"].must_match == ("a <b>dog",)
    assert [(version.by, version.why) for version in versions(stored["<i>a"])] == [("admin", "from the pack")]
    assert (len(stored), kept.version) == (3, 1)


def test_json_lines_can_be_pasted(admin: FlaskClient, session: Session) -> None:
    line = json.dumps({"name": "a", "details": "d", "uuid": "a", "detection": {"pattern": ["\u200bx"]}})

    page = upload(admin, text=f"{line}\r\n", format="jsonl").get_data(as_text=True)

    assert admin.post("/rules/import/apply", data={"plan": plan_of(page)}).status_code == 302
    assert session.query(Rule).one().pattern == "\u200bx"


def test_what_was_previewed_or_nothing(admin: FlaskClient, app: Flask, session: Session) -> None:
    rule = stored_rule(session, uuid="b", name="b")
    page = upload(admin, ("b.yml", RULE.format(name="b").encode())).get_data(as_text=True)
    plan = plan_of(page)
    update_rule(session, rule, {"name": "newer"})
    session.commit()

    collided = admin.post("/rules/import/apply", data={"plan": plan})
    forged = admin.post("/rules/import/apply", data={"plan": plan[:-3] + "abc"})

    assert (collided.status_code, forged.status_code) == (409, 422)
    assert "have changed since" in collided.get_data(as_text=True)
    session.expire_all()
    assert rule.name == "newer"
    accounts = app.extensions["bastion"].accounts
    accounts.add("second", Role.ADMIN, "correct horse battery staple")
    with admin.session_transaction() as stored:
        stored["_user_id"] = f"second:{accounts.get('second').stamp}"
    assert admin.post("/rules/import/apply", data={"plan": plan}).status_code == 409


def test_a_fault_leaves_nothing_to_apply(admin: FlaskClient, session: Session) -> None:
    answer = upload(
        admin,
        ("good.yml", RULE.format(name="a").encode()),
        ("bad.yml", RULE.format(name="<b>").replace("cat", "ca(t").encode()),
        ("samples.yml", (RULE.format(name="c") + "samples: {must_match: [dog]}\n").encode()),
    )

    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "2 new, 0 changed, 0 the same, 1 invalid" in page
    assert "bad.yml:5: &#39;&lt;b&gt;&#39;: pattern: line 1, column 9: missing )" in page
    assert 'name="plan"' not in page
    failing = upload(admin, ("samples.yml", (RULE.format(name="c") + "samples: {must_match: [dog]}\n").encode()))
    assert "samples.yml:1: &#39;c&#39;: samples.must_match: number 1 is not matched" in failing.get_data(as_text=True)
    assert 'name="plan"' not in failing.get_data(as_text=True)
    assert session.query(Rule).count() == 0


BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yml", BOMB, "aliases are not allowed"),
        ("a.yml", b"name: caf\xe9", "is not UTF-8 (byte 10)"),
        ("a.yml", RULE.format(name="a").encode("utf-16"), "is not UTF-8"),
        ("a.yml", b"", "holds no rule"),
        ("a.yml", b"[" * 50_000, "is nested too deeply"),
        ("a.jsonl", b"[" * 50_000, "is nested too deeply"),
        ("a.jsonl", b'{"name": 1', "a.jsonl:1: is not JSON"),
        ("a.jsonl", b"\n{}\n", "a.jsonl:2: lacks name, details, uuid, detection"),
        ("a.txt", b"", "is none of .yml, .yaml, .jsonl"),
        ("../a.yml", b"", "is no plain file name"),
        ("C:\\a.yml", b"", "is no plain file name"),
        (".a.yml", b"", "is no plain file name"),
        ("a\u202e.yml", b"", "is no plain file name"),
        (f"{'a' * 100}.yml", b"", "is no plain file name"),
    ],
)
def test_what_is_no_rule_file_is_refused_with_words(
    admin: FlaskClient, session: Session, name: str, content: bytes, message: str
) -> None:
    answer = upload(admin, (name, content))

    assert answer.status_code == 422
    assert message in answer.get_data(as_text=True)
    assert session.query(Rule).count() == 0


@pytest.mark.parametrize("kind", ["sqlite"])
def test_there_are_bounds(admin: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "are none" in upload(admin).get_data(as_text=True)
    assert "at most 50" in upload(admin, *[("a.yml", b"")] * 51).get_data(as_text=True)
    with monkeypatch.context() as patched:
        patched.setattr(importing, "MAX_BYTES", 1_000)
        large = upload(admin, ("a.jsonl", b" " * 501), ("b.jsonl", b" " * 500))
        assert (large.status_code, "bytes in all" in large.get_data(as_text=True)) == (422, True)
        assert "bytes in all" not in upload(admin, ("a.jsonl", b" " * 1_000)).get_data(as_text=True)
    assert upload(admin, text="a: b", format="xml").status_code == 422
    monkeypatch.setattr(importing, "MAX_EXPRESSIONS", 0)
    assert "use flask rules import" in upload(admin, ("a.yml", RULE.format(name="a").encode())).get_data(as_text=True)
    monkeypatch.setattr(importing, "MAX_EXPRESSIONS", 1)
    plan = plan_of(upload(admin, ("a.yml", RULE.format(name="a").encode())).get_data(as_text=True))
    monkeypatch.setattr(importing, "SECONDS", -1)
    assert admin.post("/rules/import/apply", data={"plan": plan}).status_code == 409
    assert session.query(Rule).count() == 0


@pytest.mark.parametrize("kind", ["sqlite"])
def test_only_an_admin_imports(analyst: FlaskClient, session: Session) -> None:
    assert upload(analyst, ("a.yml", RULE.format(name="a").encode())).status_code == 403
    assert analyst.post("/rules/import/apply", data={"plan": ""}).status_code == 403
    assert "/rules/import" not in analyst.get("/rules/").get_data(as_text=True)


@pytest.mark.parametrize("suffix", ["yaml", "jsonl"])
def test_what_is_exported_is_the_same_when_it_comes_back(
    admin: FlaskClient, session: Session, parts: Runtime, suffix: str
) -> None:
    stored_rule(session, name="Mine", category="x", must_match=("ignore previous",), tags=("a",))
    stored_rule(session, name="Other", category="y")
    assert f"/rules/export.{suffix}?q=category%3Ax" in admin.get("/rules/?q=category:x").get_data(as_text=True)

    answer = admin.get(f"/rules/export.{suffix}?q=category:x")

    assert answer.headers["Content-Disposition"] == f"attachment; filename=bastion-rules.{suffix}"
    assert "Mine" in answer.get_data(as_text=True)
    assert "Other" not in answer.get_data(as_text=True)
    page = upload(admin, (f"rules.{suffix}", answer.data)).get_data(as_text=True)
    assert "0 new, 0 changed, 1 the same" in page
    noted = [json.loads(line) for line in parts.audit.path.read_text().splitlines()]
    assert [note["target"]["path"] for note in noted if note["action"] == "export"] == [f"/rules/export.{suffix}"]


def test_an_import_page_is_for_keyboards_and_readers(admin: FlaskClient) -> None:
    page = admin.get("/rules/import").get_data(as_text=True)

    for name in ("files", "text", "format"):
        assert f'<label class="form-label" for="{name}">' in page
