"""Two hosts behind nginx are one firewall. ``make bench-hosts`` measures how soon an edit is in force."""

import json
import re
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.conftest import PASSWORD
from tests.databases import Databases
from tests.server.test_guards import cookie_of
from tests.two_hosts import TwoHosts, two_hosts

PATIENCE_SECONDS = 20
WORD = "flibbertigibbet"


@pytest.fixture(scope="module")
def hosts(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    with two_hosts(databases.blank("postgresql"), tmp_path_factory.mktemp("hosts")) as running:
        yield running


def test_an_edit_on_one_host_is_in_force_on_the_other(hosts: TwoHosts) -> None:
    rule = {"name": "w", "details": "w", "pattern": WORD, "action": "block"}
    _, made = hosts.first.call("POST", "/rules", rule)
    edits = (
        (hosts.first, hosts.second, {}, "block"),
        (hosts.second, hosts.first, {"action": "notify"}, "notify"),
        (hosts.first, hosts.second, {"action": "block"}, "block"),
        (hosts.second, hosts.first, {"enabled": False}, "allow"),
    )
    for edited, other, change, wanted in edits:
        if change:
            assert edited.call("PUT", f"/rules/{made['id']}", change)[0] == 200
        deadline = time.monotonic() + PATIENCE_SECONDS
        while other.status_of(WORD) != wanted:
            assert time.monotonic() < deadline, f"{change} is not in force on the other host"


def test_both_hosts_answer_and_either_knows_the_others_events(hosts: TwoHosts) -> None:
    answers = [hosts.run(f"text {number}") for number in range(20)]

    assert {status for status, _ in answers} == {200}
    for host in (hosts.first, hosts.second):
        for _, answer in answers:
            assert host.call("GET", f"/events/{answer['event_uid']}")[1]["id"] == answer["event_id"]


def test_every_request_is_logged_with_the_id_that_its_answer_has(hosts: TwoHosts) -> None:
    _, headers, _ = hosts.call("GET", "/login?next=%2F%22%0Ax")
    log = hosts.nginx.folder / "access.json"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while headers["X-Request-ID"] not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (line,) = [line for line in lines if line["request_id"] == headers["X-Request-ID"]]
    assert (line["method"], line["path"], line["status"], line["address"]) == ("GET", "/login", "200", "127.0.0.1")


def test_a_login_holds_on_either_host_and_is_known_to_be_over_tls(hosts: TwoHosts) -> None:
    _, headers, page = hosts.call("GET", "/login")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    form = urlencode({"csrf_token": token[1], "name": "admin", "password": PASSWORD})
    kind = "application/x-www-form-urlencoded"

    status, headers, _ = hosts.call("POST", "/login", form, Cookie=cookie_of(headers), Content_Type=kind)

    assert status == 302
    assert "Secure" in headers["Set-Cookie"]
    assert headers["Strict-Transport-Security"]
    pages = [hosts.call("GET", "/system/", Cookie=cookie_of(headers)) for _ in range(10)]
    assert {status for status, _, _ in pages} == {200}
    workers = {re.search(r"this is process (\d+)", page) for _, _, page in pages}
    assert len({found[1] for found in workers if found}) > 1


def test_who_a_client_is_comes_from_nginx_alone(hosts: TwoHosts) -> None:
    hosts.call("GET", "/accounts/", X_Forwarded_For="10.9.9.9")
    form = urlencode({"name": "admin", "password": "wrong"})
    hosts.call("POST", "/login", form, X_Forwarded_For="10.9.9.9", Content_Type="application/x-www-form-urlencoded")

    logs = [
        json.loads(line)
        for host in (hosts.first, hosts.second)
        for line in (host.instance / "audit.log").read_text().splitlines()
    ]
    assert {line["address"] for line in logs if line.get("address")} == {"127.0.0.1"}
    assert hosts.call("GET", "/metrics")[0] == 404


def test_a_host_that_dies_is_not_noticed(hosts: TwoHosts) -> None:
    hosts.second.kill()
    try:
        answers = [hosts.run(f"after {number}") for number in range(20)]
    finally:
        hosts.second.start()

    assert [status for status, _ in answers] == [200] * 20
    for _, answer in answers:
        assert hosts.second.call("GET", f"/events/{answer['event_uid']}")[0] == 200
