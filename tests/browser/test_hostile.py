"""Hostile texts in every page, under the real policy, in a real browser as narrow as a phone."""

from collections.abc import Iterator
from typing import Final

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from sqlalchemy.orm import Session

from tests.browser.conftest import log_in
from tests.databases import Databases
from tests.servers import Server
from tests.web.every_page import pages
from tests.web.hostile_rows import HostileRows, store_hostile_rows
from tests.web.hostile_texts import texts

PHONE: Final = {"width": 390, "height": 844}

INTRUDERS: Final = """() => {
  const found = [];
  const own = new Set(["http:", "https:"]);
  const say = (what, element) => found.push(`${what}: ${element.outerHTML.slice(0, 160)}`);
  for (const element of document.querySelectorAll("*")) {
    for (const { name } of element.attributes) if (name.startsWith("on") || name === "style") say(name, element);
    if (element.shadowRoot) say("shadow", element);
  }
  const strays = "style, iframe, object, embed, base, video, math, template, plaintext, noscript, meta[http-equiv]";
  for (const element of document.querySelectorAll(strays)) say("stray", element);
  for (const element of document.querySelectorAll("[src], form[action], link[href], use")) {
    const address = element.src ?? element.action ?? element.href;
    if (new URL(address, location.href).origin !== location.origin) say("elsewhere", element);
  }
  for (const link of document.links) if (!own.has(new URL(link.href, location.href).protocol)) say("scheme", link);
  for (const script of document.scripts) if (!script.src) say("inline", script);
  if (getComputedStyle(document.body.firstElementChild).display === "none") say("hidden", document.body);
  if ({}.polluted) say("polluted", document.body);
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`${scrollWidth} wide in a window of ${clientWidth}`);
  return found;
}"""


@pytest.fixture(scope="module")
def hostile(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, HostileRows]]:
    """A server of its own: others need not look at this."""
    url = databases.blank("sqlite")
    server = Server(url, tmp_path_factory.mktemp("hostile") / "instance")
    engine = sa.create_engine(url)
    with Session(engine) as session:
        rows = store_hostile_rows(session, texts("sqlite"))
    engine.dispose()
    yield server, rows
    server.stop()


class Watch:
    """What a page must not do: run a script of another's, ask another server, break its policy."""

    def __init__(self, page: Page, url: str) -> None:
        self.seen: list[str] = []
        self._url = url
        page.context.expose_binding("canary", lambda source, *said: self.seen.append(f"canary on {page.url}: {said}"))
        page.on("dialog", self._dialog)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"error on {page.url}: {error}"))
        page.on("request", self._request)
        page.on("popup", lambda popup: self.seen.append(f"popup on {page.url}"))
        self._page = page

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog on {self._page.url}: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        # What another program stored may be no rule: its pages say so.
        if message.type in ("error", "warning") and "status of 422" not in message.text:
            self.seen.append(f"console on {self._page.url}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:image/svg+xml")):
            self.seen.append(f"request on {self._page.url}: {request.url}")

    def visit(self, path: str, *, later: bool = False) -> None:
        """Opens a page; with ``later`` waits for what a script puts into it."""
        self._page.goto(self._url + path)
        if later:
            try:
                self._page.wait_for_load_state("networkidle")
            except PlaywrightTimeoutError:
                self.seen.append(f"{path}: does not come to rest")
        self.look(path)

    def look(self, where: str) -> None:
        """Notes what does not belong into the page as it is."""
        self.seen += [f"{where}: {one}" for one in self._page.evaluate(INTRUDERS)]

    def press(self, button: str, heading: str) -> None:
        """Sends a form, and looks at what comes."""
        self._page.get_by_role("button", name=button).click()
        self._page.get_by_role("heading", name=heading).wait_for()
        self.look(button)


@pytest.fixture
def watch(browser: Browser, hostile: tuple[Server, HostileRows]) -> Iterator[Watch]:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    log_in(page, hostile[0])
    yield Watch(page, hostile[0].url)
    context.close()


def known(rows: HostileRows, number: int) -> dict[str, str]:
    return {
        "key": rows.events[number],
        "rule_id": str(rows.rules[number]),
        "at": "2026-11-23T08:00:00+00:00",
        "name": "admin",
    }


def test_a_script_that_runs_would_be_seen(watch: Watch) -> None:
    watch.visit("/login")
    watch._page.evaluate("canary('of the test')")
    watch._page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://away.invalid/x.gif'}))")
    watch._page.evaluate("document.body.setAttribute('onclick', 'canary(1)')")
    watch.seen += watch._page.evaluate(INTRUDERS)

    for mark in ("canary", "request", "console", "onclick", "elsewhere"):
        assert any(mark in one for one in watch.seen), (mark, watch.seen)


def test_every_page_with_hostile_rows(watch: Watch, hostile: tuple[Server, HostileRows], routes: Flask) -> None:
    _, rows = hostile
    for path in pages(routes, known(rows, 0)):
        watch.visit(path, later=True)
    assert not watch.seen, "\n".join(watch.seen)


def test_every_hostile_text_on_the_pages_of_its_rows(
    watch: Watch, hostile: tuple[Server, HostileRows], routes: Flask
) -> None:
    _, rows = hostile
    some = pages(routes, known(rows, 0))
    for number in range(len(rows.rules)):
        filled = pages(routes, known(rows, number))
        own = [path for path, first in zip(filled, some, strict=True) if number == 0 or path != first]
        event = f"/events/{rows.events[number]}"
        # Each text on its event's page, which has its rule too, and on one of the others by turns.
        rest = [path for path in own if path != event]
        for path in (event, rest[number % len(rest)]):
            watch.visit(path)
    assert not watch.seen, "\n".join(watch.seen)


def test_what_forms_answer_with_hostile_rows(watch: Watch, hostile: tuple[Server, HostileRows]) -> None:
    _, rows = hostile
    for uid in rows.events[::6]:
        watch.visit(f"/try/?event={uid}")
        watch.press("Analyse", "Verdict")
        watch.visit(f"/events/{uid}")
        watch.press("Judge it by today's rules", "By today's rules")
    watch.visit("/rules/?q=status%3Adraft")
    watch._page.locator("[name=scope]").select_option("query")
    watch._page.locator("[name=change]").select_option("archive")
    watch.press("See what would change", "would be archived")
    assert not watch.seen, "\n".join(watch.seen)


@pytest.mark.parametrize("first", ["/events/?range=all", "/triggers/?range=all", "/rules/?q=status%3Adraft"])
def test_every_page_of_a_list_with_hostile_rows(watch: Watch, first: str) -> None:
    path: str | None = first
    walked = 0
    while path is not None:
        watch.visit(path, later=True)
        walked += 1
        following = watch._page.locator('main a[rel="next"]')
        path = following.get_attribute("href") if following.count() else None
    assert walked >= 2
    assert not watch.seen, "\n".join(watch.seen)
