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
from bastion.errors import InvalidRule
from bastion.models import Rule
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from bastion.services.rules.history import versions
from bastion.services.rules.stored_rules import toggle_rule, update_rule
from bastion.web.rules import importing, listing
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


NOVA = """rule Heist
{
    meta:
        description = "Asks for a <heist>"
    keywords:
        $vault = "open the vault"
    llm:
        $plan = "Is it a plan?" (0.2)
    condition:
        $vault %s llm.$plan
}
"""


@pytest.mark.parametrize("by", ["file", "text"])
def test_nova_rules_are_known_by_their_name_or_by_their_beginning(
    admin: FlaskClient, session: Session, by: str
) -> None:
    text = NOVA % "or"

    if by == "file":
        page = upload(admin, ("heist.nov", text.encode())).get_data(as_text=True)
    else:
        page = upload(admin, text=text.replace("\n", "\r\n"), format="yaml").get_data(as_text=True)

    assert "1 new, 0 changed, 0 the same" in page
    assert "runs on its keywords alone, without asking for llm.$plan" in page
    assert admin.post("/rules/import/apply", data={"plan": plan_of(page)}).status_code == 302
    rule = session.query(Rule).one()
    assert (rule.name, rule.language, rule.enabled) == ("Heist", "nova", True)
    shown = admin.get(f"/rules/{rule.id}/pattern").get_data(as_text=True)
    assert "$vault = " in shown
    assert "ignores case" in shown
    assert "when its condition is true" in shown
    assert "Asks for a &lt;heist&gt;" in admin.get(f"/rules/{rule.id}").get_data(as_text=True)


def test_a_nova_rule_that_needs_a_model_stays_a_draft(admin: FlaskClient, session: Session) -> None:
    reason = "needs llm.$plan, which nothing here runs: no keywords alone make its condition true"
    page = upload(admin, ("heist.nov", (NOVA % "and").encode())).get_data(as_text=True)

    assert f"is imported as a draft: it {reason}" in page
    admin.post("/rules/import/apply", data={"plan": plan_of(page)})
    rule = session.query(Rule).one()
    assert f"Only a draft: it {reason}" in admin.get(f"/rules/{rule.id}").get_data(as_text=True)
    with pytest.raises(InvalidRule, match=re.escape(reason)):
        toggle_rule(session, rule)
    update_rule(session, rule, {"pattern": rule.pattern.replace(" and llm.$plan", "")})
    assert toggle_rule(session, rule).enabled


def test_a_nova_rule_with_a_fault_is_told_by_line_and_column(admin: FlaskClient, session: Session) -> None:
    answer = upload(admin, text=NOVA % "xor")

    assert answer.status_code == 422
    wanted = "pasted.nov:10: &#39;Heist&#39;: column 16: condition: wants and, or, or the end, not &#39;xor&#39;"
    assert wanted in answer.get_data(as_text=True)
    assert session.query(Rule).count() == 0


@pytest.mark.parametrize("suffix", ["yaml", "jsonl"])
def test_an_export_may_hold_the_versions(admin: FlaskClient, session: Session, suffix: str) -> None:
    rule = stored_rule(session, name="First")
    update_rule(session, rule, {"name": "Second"}, actor="ada", why="louder")
    session.commit()
    address = f"/rules/export.{suffix}?history=1"
    assert f'href="{address}"' in admin.get("/rules/").get_data(as_text=True)

    bare, whole = (admin.get(f"/rules/export.{suffix}{query}").get_data() for query in ("", "?history=1"))

    session.delete(rule)
    session.commit()
    assert b"louder" not in bare
    page = upload(admin, (f"rules.{suffix}", whole)).get_data(as_text=True)
    assert admin.post("/rules/import/apply", data={"plan": plan_of(page)}).status_code == 302
    (stored,) = session.query(Rule)
    newest = versions(stored)[0]
    assert (newest.number, newest.by, newest.why) == (2, "ada", "louder")
    assert stored.version == 2


def test_an_export_takes_no_other_word(admin: FlaskClient, session: Session) -> None:
    stored_rule(session)

    assert admin.get("/rules/export.yaml?history=yes").status_code == 422
    assert admin.get("/rules/export.csv?history=1").status_code == 422
    assert admin.get("/rules/export.yaml?history=0").status_code == 200


def test_an_export_is_not_larger_than_what_an_import_reads(
    admin: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_rule(session, details="d" * 2000)
    monkeypatch.setattr(listing, "MAX_FILE_BYTES", 2000)

    refused = admin.get("/rules/export.yaml")

    assert refused.status_code == 422
    assert "take more than 2,000 bytes of YAML, which no import reads: take JSON Lines" in refused.get_data(
        as_text=True
    )
    assert admin.get("/rules/export.jsonl").status_code == 200
