"""What only a real server with several workers can show."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import sqlalchemy as sa

from bastion.settings import load_settings
from tests.conftest import ROOT, clean_environment
from tests.databases import Databases
from tests.servers import BIN, Server

PATIENCE_SECONDS = 20
WORD = "flibbertigibbet"
RULE = {"name": "Word", "details": "A word.", "pattern": WORD, "action": "block"}


def wait_until_every_answer_is(server: Server, status: str) -> None:
    """Forty answers in a row, each on a new connection: every worker has taken part."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    in_a_row = 0
    while in_a_row < 40:
        in_a_row = in_a_row + 1 if server.status_of(f"say {WORD}") == status else 0
        if time.monotonic() > deadline:
            raise AssertionError(f"not every answer became {status}")


def test_an_edit_reaches_every_worker_without_a_restart(server: Server, tmp_path: Path) -> None:
    assert server.status_of(WORD) == "allow"

    _, rule = server.call("POST", "/rules", RULE)
    wait_until_every_answer_is(server, "block")
    server.call("PUT", f"/rules/{rule['id']}", {"action": "notify"})
    wait_until_every_answer_is(server, "notify")
    server.call("PATCH", f"/rules/{rule['id']}/toggle")
    wait_until_every_answer_is(server, "allow")

    file = tmp_path / "rule.yml"
    file.write_text(
        f"name: By file\ndetails: x\nuuid: by-file\nresponse: block\n"
        f"detection: {{language: llm-regex-pattern, pattern: ['{WORD}']}}\n"
    )
    assert "1 new" in server.flask("rules", "import", str(file))
    wait_until_every_answer_is(server, "block")


def test_no_answered_event_is_lost_when_the_server_is_killed(server: Server, databases: Databases, kind: str) -> None:
    answered: list[tuple[int, str]] = []
    stop = threading.Event()

    def keep_asking(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            try:
                status, answer = server.call("POST", "/flow/run", {"prompt": f"caller {number}, text {count}"})
            except (OSError, HTTPException):
                continue
            if status == 200:
                answered.append((answer["event_id"], f"caller {number}, text {count}"))

    callers = [threading.Thread(target=keep_asking, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    for kills in range(1, 4):
        while len(answered) < 40 * kills:
            time.sleep(0.01)
        server.kill()
        server.start()
    stop.set()
    for caller in callers:
        caller.join()

    total = server.call("GET", "/events/stats")[1]["total"]
    assert total >= len(answered) >= 120
    for event_id, prompt in answered:
        assert server.call("GET", f"/events/{event_id}")[1]["prompt"] == prompt


def metrics_of(server: Server) -> dict[str, float]:
    """The samples by name and labels, as Prometheus gets them."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {server.token}"})
        lines = connection.getresponse().read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_metrics_are_those_of_all_workers_also_of_dead_ones(server: Server) -> None:
    for number in range(40):
        assert server.status_of(f"{number}") == "allow"
    found = [metrics_of(server) for _ in range(10)]
    verdicts = 'bastion_verdicts_total{flow="default",status="allow"}'
    requests = 'bastion_requests_total{endpoint="api.run_flow",method="POST",status="200"}'

    assert {(one[verdicts], one[requests], one["bastion_scan_seconds_count"]) for one in found} == {(40, 40, 40)}
    assert {one["bastion_events_stored_total"] for one in found} == {40}
    assert 1 <= found[0]["bastion_commit_seconds_count"] <= 40

    os.kill(server.worker_pids()[0], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.log.count("The worker is ready") < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.status_of("after") == "allow"
    # The gauges are set once a second.
    while not (rules := metrics_of(server)["bastion_rules"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    after = metrics_of(server)
    assert (after[verdicts], after[requests], after["bastion_events_stored_total"]) == (41, 41, 41)
    assert rules == server.call("GET", "/rules?limit=1")[1]["total"] > 60
    assert (after["bastion_database_away"], after["bastion_spool_events"]) == (0, 0)


def test_the_server_makes_its_schema_itself(databases: Databases, kind: str, instance: Path) -> None:
    url = databases.blank(kind)
    server = Server(url, instance)
    server.stop()

    engine = sa.create_engine(load_settings(database_url=url).database_url)
    assert {"rules", "events", "rule_triggers"} <= set(sa.inspect(engine).get_table_names())
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("DATABASE_URL", "mysql://x/y"), ("BASTION_FLOWS", "/nope"), ("PORT", "0")]
)
def test_a_wrong_setting_stops_the_start_and_is_named(instance: Path, name: str, value: str) -> None:
    environment = clean_environment(BASTION_INSTANCE=str(instance)) | {name: value}

    started = subprocess.run(
        [BIN / "gunicorn", "-c", "python:bastion.gunicorn", "wsgi:app"],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert started.returncode != 0
    assert f"{name}: " in started.stdout + started.stderr
    assert "Traceback" not in started.stderr


def test_importing_the_package_starts_nothing() -> None:
    script = (
        "import sys, threading, bastion\n"
        "assert not {'flask', 'sqlalchemy', 'regex', 'pydantic'} & set(sys.modules), sys.modules\n"
        "assert threading.active_count() == 1\n"
    )

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_making_the_application_opens_no_connection_and_starts_no_thread(instance: Path) -> None:
    script = (
        "import threading\nfrom bastion import create_app\n"
        "app = create_app(database_url='postgresql://nobody@127.0.0.1:1/none')\n"
        "assert threading.active_count() == 1\n"
    )

    subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=clean_environment(BASTION_INSTANCE=str(instance)), check=True
    )
