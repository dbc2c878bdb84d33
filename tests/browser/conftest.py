"""A real Chromium on a real server.

A server takes seconds to start, so there is one for each kind of database, which the tests share: each makes what it
needs, and counts on nothing else being there or not.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, Request

from bastion import create_app
from tests.conftest import PASSWORD
from tests.databases import Databases
from tests.servers import Server

CANDIDATES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def chromium() -> str:
    """The browser's path; ``make test`` has seen to it that there is one."""
    for name in (os.environ.get("CHROMIUM"), *CANDIDATES):
        if name and (path := shutil.which(name)):
            return path
    raise RuntimeError("no Chromium: run tests/ensure_chromium.sh")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium(), "args": ARGUMENTS}


@pytest.fixture(scope="session")
def servers(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    running: dict[str, Server] = {}

    def of(kind: str) -> Server:
        if kind not in running:
            running[kind] = Server(databases.blank(kind), tmp_path_factory.mktemp("server") / "instance")
        return running[kind]

    yield of
    for server in running.values():
        server.stop()


@pytest.fixture
def server(servers: Callable[[str], Server], kind: str) -> Server:
    return servers(kind)


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application beside the servers, which knows what pages there are."""
    folder = tmp_path_factory.mktemp("routes")
    return create_app(database_url=f"sqlite:///{folder}/none.db", bastion_instance=folder)


@pytest.fixture
def faults(page: Page) -> list[str]:
    return faults_of(page)


def faults_of(page: Page) -> list[str]:
    """Whatever the browser will complain of: script errors, refused content, failed requests."""
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: seen.append(request.url) if _failed(request) else None)
    return seen


def _failed(request: Request) -> bool:
    """Whether a request failed on its own: the browser itself aborts what a page that is left was still loading."""
    return request.failure != "net::ERR_ABORTED"


def log_in(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/login")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()
