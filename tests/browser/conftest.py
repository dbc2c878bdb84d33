"""A real Chromium on a real server."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request

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


@pytest.fixture
def server(databases: Databases, kind: str, instance: Path) -> Iterator[Server]:
    running = Server(databases.blank(kind), instance)
    yield running
    running.stop()


@pytest.fixture
def faults(page: Page) -> list[str]:
    """Whatever the browser complains of: script errors, refused content, failed requests."""
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
