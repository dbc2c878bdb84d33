"""Requests that are too large, too deep, too many or senseless."""

import gzip
import io
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion import create_app
from bastion.services.people.accounts import Role
from tests.conftest import log_in_as
from tests.factories import stored_event, stored_rule

RULE = {"name": "Word", "details": "A word.", "pattern": "flibber", "action": "block"}
RUN = "/api/v1/flow/run"
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in pairwise("abcdefghi")
)
"""Nine levels, each nine times the one before: 387 million texts in 400 bytes."""


def nested(depth: int) -> bytes:
    return b'{"prompt": "x", "more": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(("depth", "status"), [(20, 200), (40, 400), (900, 400), (100_000, 400)])
def test_a_body_is_nested_so_deep_and_no_deeper(api: FlaskClient, depth: int, status: int) -> None:
    assert api.post(RUN, data=nested(depth), content_type="application/json").status_code == status


def test_bodies_and_fields_have_limits(api: FlaskClient, admin: FlaskClient) -> None:
    assert api.post(RUN, data=b'"' + b"x" * 9_000_000, content_type="application/json").status_code == 413
    assert api.post(RUN, json={"prompt": "x" * 1_100_000}).status_code == 413
    assert admin.post("/try/", data={"prompt": "x" * 9_000_000}).status_code == 413
    many = {f"field{number}": "x" for number in range(500)}
    assert admin.post("/try/", data=many, content_type="multipart/form-data").status_code == 413
    assert admin.post("/login", data={"name": "x" * 10_000, "password": "y"}).status_code in (302, 422)


def test_a_pattern_of_ten_megabytes_is_refused_and_one_of_seven_as_fast(api: FlaskClient) -> None:
    for size, status in ((10_000_000, 413), (7_000_000, 422)):
        answer = api.post("/api/v1/rules", json={**RULE, "pattern": "(a|b)" * (size // 5)})
        assert answer.status_code == status
    assert api.post("/api/v1/rules", json={**RULE, "pattern": "((((a{1000}){1000}){1000}){1000})"}).status_code == 422


def test_a_pattern_of_ten_megabytes_is_refused_by_every_form_that_takes_one(admin: FlaskClient) -> None:
    for path in ("/rules/new", "/rules/check", "/rules/backtest"):
        for size, statuses in ((10_000_000, {413}), (3_000_000, {422, 200})):
            form = {**RULE, "severity": "high", "language": "llm-regex-pattern", "pattern": "(a|b)" * (size // 5)}
            answer = admin.post(path, data=form)
            assert answer.status_code in statuses, (path, size)
            assert answer.status_code == 413 or "characters" in answer.get_data(as_text=True), (path, size)


BOMBS = {
    "aliases": ALIASES,
    "depth": "[" * 100_000,
    "objects": "!!python/object/apply:os.system ['touch pwned']",
    "binary": "a: !!binary " + "A" * 1000,
    "dashes": "- " * 50_000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_yaml_bomb_is_refused(app: Flask, tmp_path: Path, bomb: str) -> None:
    file = tmp_path / "bomb.yml"
    file.write_text(bomb)

    done = app.test_cli_runner().invoke(args=["rules", "import", str(file)])

    assert done.exit_code == 1
    assert "nothing imported" in done.output
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_yaml_bomb_is_refused_on_the_page(admin: FlaskClient, tmp_path: Path, bomb: str) -> None:
    uploaded = {"files": [(io.BytesIO(bomb.encode()), "bomb.yml")]}

    answers = [
        admin.post("/rules/import", data={"text": bomb, "format": "yaml"}),
        admin.post("/rules/import", data=uploaded, content_type="multipart/form-data"),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert 'name="plan"' not in answers[0].get_data(as_text=True)
    assert not list(tmp_path.rglob("pwned"))


def test_an_archive_is_not_unpacked(admin: FlaskClient) -> None:
    """Nothing here reads any: a bomb of them is a file of a wrong kind."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rules.yml", b"\n" * 10_000_000)
    for name in ("bomb.zip", "bomb.yml", "bomb.yml.gz"):
        sent = {"files": [(io.BytesIO(packed.getvalue()), name)]}
        assert admin.post("/rules/import", data=sent, content_type="multipart/form-data").status_code == 422
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    body = gzip.compress(b'{"prompt": "x"}')
    token = admin.application.extensions["bastion"].tokens.create("sender")
    assert admin.post(RUN, data=body, headers={**headers, "X-API-Key": token}).status_code == 400


def test_no_rule_is_exported_out_of_its_folder(app: Flask, session: Session, tmp_path: Path) -> None:
    """No form takes such a ``uuid``; another program's database may have one."""
    for uuid in ("../../outside", "/tmp/outside", "..", "a/b", "a\\b", "nul\u202e"):
        stored_rule(session).uuid = uuid
    session.commit()
    folder = tmp_path / "out" / "rules"

    assert app.test_cli_runner().invoke(args=["rules", "export", str(folder)]).exit_code == 0

    assert len(list(folder.glob("*.yml"))) == 6
    assert [path.name for path in folder.parent.iterdir()] == ["rules"]


@pytest.mark.parametrize("suffix", ["../../etc/passwd", "%2e%2e%2fpasswd", "csv%0d%0aX:%20y", "exe"])
@pytest.mark.parametrize("path", ["/rules/export.", "/events/export.", "/triggers/export."])
def test_an_export_has_the_names_that_there_are(admin: FlaskClient, path: str, suffix: str) -> None:
    assert admin.get(path + suffix).status_code == 404


def test_an_import_follows_no_name_out_of_its_folder(app: Flask, tmp_path: Path) -> None:
    """A file's name is where it was found, and nothing in a file names another."""
    folder = tmp_path / "rules"
    folder.mkdir()
    secret = tmp_path / "secret.yml"
    secret.write_text("hunter2: [")
    (folder / "rule.yml").write_text(
        "name: ../../etc/passwd\ndetails: x\nuuid: ../../../x\ndetection: {pattern: ['!include ../secret.yml']}\n"
    )

    done = app.test_cli_runner().invoke(args=["rules", "import", str(folder)])

    assert "hunter2" not in done.output
    assert sorted(path.name for path in tmp_path.rglob("*.yml")) == ["rule.yml", "secret.yml"]


@pytest.mark.parametrize("path", ["/static/../accounts.json", "/static/%2e%2e/bastion/app.py", "/static/..%2fwsgi.py"])
def test_no_path_leads_out_of_the_files_that_ship(admin: FlaskClient, path: str) -> None:
    assert admin.get(path).status_code in (404, 400)


def limited(database_url: str, instance: Path, rate: int) -> Flask:
    return create_app(database_url=database_url, bastion_instance=instance, bastion_api_rate=rate)


def test_a_token_asks_so_often_and_workers_count_together(database_url: str, instance: Path) -> None:
    workers = [limited(database_url, instance, 12) for _ in range(2)]
    tokens = workers[0].extensions["bastion"].tokens
    mine, other = tokens.create("mine"), tokens.create("other")

    def ask(turn: int, token: str) -> int:
        headers = {"X-API-Key": token}
        return workers[turn % 2].test_client().get("/api/v1/flow/list", headers=headers).status_code

    assert [ask(turn, mine) for turn in range(4)] == [200, 200, 429, 429]
    assert ask(0, other) == 200
    answer = workers[1].test_client().get("/api/v1/flow/list", headers={"X-API-Key": mine})
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert answer.get_json()["error"] == "too_many_requests"


def test_a_limiter_that_fails_lets_texts_be_judged(database_url: str, instance: Path) -> None:
    app = limited(database_url, instance, 1)
    token = app.extensions["bastion"].tokens.create("mine")
    (instance / "state.db").mkdir()

    for _ in range(3):
        headers = {"X-API-Key": token}
        assert app.test_client().get("/api/v1/flow/list", headers=headers).status_code == 200
    app.config["WTF_CSRF_ENABLED"] = False
    assert app.test_client().post("/login", data={"name": "ada", "password": "x"}).status_code == 503


def test_a_form_has_so_many_fields_and_no_more(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    many = {"content_type": "application/x-www-form-urlencoded"}

    assert client.post("/login", data="a=&" * 2_000_000, **many).status_code == 413
    assert client.post("/login", data="a=&" * 1_000 + "name=ada&password=x", **many).status_code == 401


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 64 + ".example", "a b", "[::1", "%"])
def test_a_host_that_is_none_gets_a_page_without_links_or_a_refusal(client: FlaskClient, host: str) -> None:
    answer = client.get("/login", environ_overrides={"HTTP_HOST": host})

    assert answer.status_code in {200, 400, 404}
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "target", ["//[", "http://[", "//\u2100", "/\\\\evil.example", "//evil.example", "javascript:x"]
)
def test_a_zone_and_a_judgement_lead_back_to_a_page_of_ours(app: Flask, session: Session, target: str) -> None:
    stored_event(session, rules=(stored_rule(session),))
    analyst = log_in_as(app, Role.ANALYST)

    answer = analyst.post("/zone", data={"chosen": "UTC", "next": target})
    assert (answer.status_code, answer.location) == (302, "/")
    answer = analyst.post("/triggers/1/judgement", data={"disposition": "false_positive", "back": target})
    assert (answer.status_code, answer.location.partition("?")[0].partition("#")[0]) == (302, "/triggers/")
