"""A rule from its first false positive to its restored past, in a real browser."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, Route, expect

from bastion.models import Event, new_uid
from bastion.services.rules.backtest_run import ROWS
from tests.browser.conftest import log_in
from tests.servers import Server

PATIENCE_SECONDS = 20
STEADY_SECONDS = 1.5
NAME = "Mentions zymurgy"
ATTACK = "tell me all about zymurgy"
LETTER = "zymurgy weekly: the newsletter"


def send(server: Server, text: str, source: str) -> dict[str, object]:
    status, answer = server.call("POST", "/flow/run", {"prompt": text, "source": source})
    assert status == 200
    return dict(answer)


def send_until(server: Server, text: str, source: str, wanted: str) -> None:
    """Until no worker has answered anything else for longer than a change takes to reach them all."""
    last_other = start = time.monotonic()
    while time.monotonic() - last_other < STEADY_SECONDS:
        found = send(server, text, source)["status"]
        if found != wanted:
            last_other = time.monotonic()
            assert last_other < start + PATIENCE_SECONDS, f"{found}, not {wanted}"


def figure(page: Page, name: str) -> int:
    shown = page.locator(".backtest-figures div").filter(has_text=name).locator("dd").inner_text()
    return int(shown.replace(",", ""))


def write_rule(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/rules/new")
    page.get_by_role("textbox", name="Name", exact=True).fill(NAME)
    page.get_by_label("Details").fill("Somebody asks for it.")
    page.get_by_label("Pattern").fill("(?i)zymurgy")
    page.get_by_role("textbox", name="Texts that must match").fill(ATTACK)
    page.get_by_role("textbox", name="Texts that must not match").fill("tell me all about yeast")
    page.get_by_label("Action").select_option("notify")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()


def test_exception_backtest_enforce_history_restore(page: Page, server: Server, faults: list[str]) -> None:
    log_in(page, server)
    write_rule(page, server)
    rule = page.url
    send_until(server, ATTACK, "chat", "notify")
    event = send(server, LETTER, "letters")
    assert event["status"] == "notify"

    # From the event to an exception in two clicks.
    page.goto(f"{server.url}/events/{event['event_uid']}")
    match = page.get_by_role("article", name=NAME)
    match.get_by_label("What not to match any more").select_option("source")
    match.get_by_role("button", name="Except").click()
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"silenced 1 of \d+ past triggers"))
    expect(page.get_by_label("What", exact=True)).to_have_value("letters")
    page.get_by_role("button", name="Add the exception").click()
    expect(page.get_by_text("has one more exception; that is version 2")).to_be_visible()
    send_until(server, LETTER, "letters", "allow")
    passed = send(server, LETTER, "letters")
    page.goto(f"{server.url}/events/{passed['event_uid']}")
    expect(page.get_by_text("was let pass by an exception (source)")).to_be_visible()

    # What a narrower pattern would have done, before it is saved.
    page.goto(f"{rule}/edit")
    page.get_by_label("Pattern").fill("(?i)all about zymurgy now")
    page.get_by_role("button", name="Backtest").click()
    expect(page.locator("#backtest-status")).to_contain_text("done in", timeout=30_000)
    assert (figure(page, "new"), figure(page, "unchanged")) == (0, 0)
    assert figure(page, "lost") >= 3
    page.get_by_role("button", name="Back to the draft").click()
    expect(page.get_by_label("Pattern")).to_have_value("(?i)all about zymurgy now")
    page.get_by_label("Pattern").fill("(?i)(?:all about|weekly:) zymurgy|zymurgy weekly")
    page.get_by_role("button", name="Backtest").click()
    expect(page.locator("#backtest-status")).to_contain_text("done in", timeout=30_000)
    assert (figure(page, "new"), figure(page, "lost")) == (0, 0)
    expect(page.locator(".found-events mark").first).to_have_text("all about zymurgy")
    page.get_by_role("button", name="Back to the draft").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()

    # One step up the ladder.
    page.get_by_role("link", name="Roll out to enforce").click()
    expect(page.get_by_text("that were not blocked would be.")).to_be_visible()
    page.get_by_role("button", name="Enforce").click()
    expect(page.get_by_text("went from monitor to enforce; that is version 4.")).to_be_visible()
    send_until(server, ATTACK, "chat", "block")
    assert send(server, LETTER, "letters")["status"] == "allow"

    # And back to how it began.
    page.get_by_role("navigation", name="This rule").get_by_role("link", name="History").click()
    expect(page.get_by_role("cell", name="rolled out: monitor to enforce")).to_be_visible()
    expect(page.get_by_role("cell", name="exception (source): false positive")).to_be_visible()
    page.get_by_label("Compare from version 1").check()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.get_by_text("says what it said in version 1; that is version 5 now")).to_be_visible()
    send_until(server, LETTER, "letters", "notify")
    send_until(server, ATTACK, "chat", "notify")
    assert faults == []


def store_old_events(server: Server, count: int) -> None:
    """So many events of one day long ago, every other of which the rule matches."""
    engine = sa.create_engine(server._environment["DATABASE_URL"])
    day = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [
        {
            "uid": new_uid(),
            "prompt": f"quagmire {number}" if number % 2 else "firm ground",
            "status": "allow",
            "flow_name": "default",
            "timestamp": day + timedelta(seconds=number),
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(Event), rows)
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_backtest_goes_on_by_itself_and_can_be_cancelled(page: Page, server: Server, faults: list[str]) -> None:
    count = 2 * ROWS + 500
    store_old_events(server, count)
    content = {"name": "Quagmires", "details": "In one.", "pattern": "quagmire", "action": "notify"}
    rule = server.call("POST", "/rules", content)[1]["id"]
    log_in(page, server)
    page.goto(f"{server.url}/rules/{rule}/backtest")
    page.get_by_label("Of the").select_option("")
    page.get_by_label("From", exact=True).fill("2026-01-05T00:00:00")
    page.get_by_label("To (UTC)").fill("2026-01-06T00:00:00")
    held: list[Route] = []
    holding = True

    def hold(route: Route) -> None:
        if holding and not route.request.is_navigation_request():
            held.append(route)
        else:
            route.continue_()

    page.route("**/backtest", hold)
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Cancel").click()
    holding = False
    held.pop().continue_()

    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    expect(page.locator("#backtest-status")).to_contain_text(f"of {count:,} events, about")
    assert 0 < figure(page, "unchanged") < count // 2
    page.get_by_role("button", name="Go on").click()

    expect(page.locator("#backtest-status")).to_contain_text(f"{count:,} of {count:,} events: done in", timeout=30_000)
    assert figure(page, "unchanged") == count // 2
    assert faults == []
