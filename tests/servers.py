"""A real gunicorn on a free port, as production runs it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from bastion import create_app
from bastion.extensions import db
from bastion.rulefile import RuleFiles
from bastion.runtime import Runtime
from bastion.schema import init_db
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Tokens
from bastion.services.rules.stored_rules import any_rule
from bastion.services.rules.transfer import RULEPACK, read_rules, store_rules
from bastion.settings import Settings
from tests.compiled import share_compiled_rules
from tests.conftest import PASSWORD, ROOT, clean_environment

START_SECONDS = 60
BIN = Path(sys.executable).parent


@cache
def shipped_rules() -> RuleFiles:
    return read_rules(RULEPACK)


def set_up(database_url: str, instance: Path) -> None:
    """What ``flask init`` does, without a process of its own and with a password that tests know."""
    app = create_app(database_url=database_url, bastion_instance=instance)
    parts: Runtime = app.extensions["bastion"]
    with app.app_context():
        init_db(auto_migrate=True)
        if not any_rule(db.session()):
            store_rules(db.session(), shipped_rules())
            db.session.commit()
        db.session.remove()
        db.engine.dispose()
    parts.firewall.rules.stop()
    parts.vitals.stop()
    parts.accounts.add("admin", Role.ADMIN, PASSWORD)


class Server:
    """Bastion with the rules that ship, an account ``admin`` and an API token."""

    def __init__(self, database_url: str, instance: Path, *, token: str = "", **settings: str) -> None:
        """With a token the folder and the database are taken for those of a Bastion that was set up already."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.instance = instance
        share_compiled_rules(instance)
        self._environment = clean_environment(
            DATABASE_URL=database_url, BASTION_INSTANCE=str(instance), PORT=str(self.port), **settings
        )
        self._workers = int(settings.get("BASTION_WORKERS", Settings.model_fields["bastion_workers"].default))
        if not token:
            set_up(database_url, instance)
        self.token = token or Tokens(instance).create("every scope")
        self._log = (instance / "server.log").open("ab")
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.instance / "server.log").read_text("utf-8")

    def flask(self, *arguments: str) -> str:
        """What a ``flask`` command prints; raises when it fails."""
        done = subprocess.run(
            [BIN / "flask", *arguments], cwd=ROOT, env=self._environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def start(self) -> None:
        """Returns when every worker has its rules: one that has none yet would need the database for them."""
        before = self._workers_ready()
        self._process = subprocess.Popen(
            [BIN / "gunicorn", "-c", "python:bastion.gunicorn", "wsgi:app"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while self._workers_ready() - before < self._workers or not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to master and workers at once: nobody gets to say goodbye."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def worker_pids(self) -> list[int]:
        """The processes of the workers, the oldest first."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return sorted(map(int, children.read_text().split()))

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(START_SECONDS)
        self._log.close()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of one request on a connection of its own, so that any worker may answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        return answer.status, json.loads(content) if content else None

    def status_of(self, prompt: str) -> str:
        """The verdict on a text."""
        status, answer = self.call("POST", "/flow/run", {"prompt": prompt})
        if status != 200:
            raise RuntimeError(f"{status}: {answer}")
        return str(answer["status"])

    def _workers_ready(self) -> int:
        return self.log.count("The worker is ready")

    def _answers(self) -> bool:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
        except OSError:
            return False
