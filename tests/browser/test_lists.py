"""What scripts, printers and readers' settings make of the lists, in a real browser."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from bastion.models import Event, new_uid
from bastion.services.search.counts import AT_ONCE
from tests.browser.conftest import log_in
from tests.servers import Server

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])

POLL_MS = 5000
LONG_AGO = datetime(2026, 2, 1, tzinfo=UTC)
THEN = "from=2026-02-01T00%3A00%3A00Z&to=2026-02-02T00%3A00%3A00Z"


def send(server: Server, source: str, count: int) -> None:
    for number in range(count):
        status, _ = server.call("POST", "/flow/run", {"prompt": f"{source} {number}", "source": source})
        assert status == 200


def test_new_events_are_offered_on_top_and_nobody_loses_their_place(
    page: Page, server: Server, faults: list[str]
) -> None:
    send(server, "river", 45)
    log_in(page, server)
    page.clock.install()
    page.goto(f"{server.url}/events/?q=source%3Ariver")
    rows, offer = page.locator("#rows tr"), page.locator("[data-newer] button")
    expect(rows).to_have_count(45)
    page.evaluate("scrollTo(0, 200)")
    send(server, "river", 6)
    send(server, "elsewhere", 1)
    page.clock.fast_forward(POLL_MS)
    expect(offer).to_have_text("6 new events")
    expect(rows).to_have_count(45)
    seen = rows.nth(20)
    uid, place = seen.get_attribute("data-uid"), seen.bounding_box()
    assert place is not None

    offer.evaluate("button => button.click()")

    expect(rows).to_have_count(51)
    expect(rows.first).to_contain_text("river 5")
    expect(offer).to_be_hidden()
    now = page.locator(f"[data-uid='{uid}']").bounding_box()
    assert now is not None
    assert abs(now["y"] - place["y"]) < 60

    # Away from the top nobody is disturbed, until they come back.
    page.evaluate("scrollTo(0, 600)")
    send(server, "river", 1)
    page.clock.fast_forward(POLL_MS)
    page.clock.run_for(200)
    expect(offer).to_be_hidden()
    page.evaluate("scrollTo(0, 0)")
    page.clock.fast_forward(POLL_MS)
    expect(offer).to_have_text("1 new event")
    assert faults == []


def test_what_takes_long_to_count_comes_after_the_page(browser: Browser, server: Server) -> None:
    engine = sa.create_engine(server._environment["DATABASE_URL"])
    rows = [
        {"uid": new_uid(), "prompt": "x", "status": "allow", "flow_name": "default", "timestamp": LONG_AGO + second}
        for second in (timedelta(seconds=number) for number in range(AT_ONCE + 1))
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(Event), rows)
    engine.dispose()
    for script in (True, False):
        context = browser.new_context(java_script_enabled=script)
        page = context.new_page()
        log_in(page, server)
        page.goto(f"{server.url}/events/?{THEN}")
        if not script:
            expect(page.locator("figure")).to_have_count(0)
            page.get_by_role("link", name="Show counts").click()
        facet = page.get_by_role("region", name="flow")
        expect(facet.get_by_role("link", name="default")).to_be_visible()
        expect(page.locator("#histogram-name")).to_have_text(f"{AT_ONCE + 1:,} events")
        assert page.locator("[data-later]").count() == 0
        # A bar is a plain link to its stretch of time.
        bar = page.locator("svg.bars a").first
        address = bar.get_attribute("href")
        assert address is not None
        page.goto(server.url + address)
        expect(page.locator("#rows tr").first).to_contain_text("2026-02-01")
        context.close()


def test_a_reader_s_own_zone_is_taken_from_the_browser(browser: Browser, server: Server) -> None:
    send(server, "zone", 1)
    context = browser.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    log_in(page, server)
    page.goto(f"{server.url}/events/?q=source%3Azone")
    utc = page.locator("#rows time").first
    moment = datetime.fromisoformat(utc.get_attribute("datetime") or "")
    expect(utc).to_have_text(f"{moment:%Y-%m-%d %H:%M:%S}")

    page.get_by_role("link", name="UTC", exact=True).click()
    page.get_by_label("the browser's zone").check()
    page.get_by_role("button", name="Save").click()

    expect(page).to_have_url(f"{server.url}/events/?q=source%3Azone")
    expect(page.locator("#rows time").first).to_have_text(f"{moment + timedelta(hours=9):%Y-%m-%d %H:%M:%S}")
    expect(page.locator("th.when")).to_contain_text("Asia/Tokyo")
    context.close()


def test_paper_has_the_rows_and_no_controls(page: Page, server: Server) -> None:
    send(server, "paper", 1)
    log_in(page, server)
    page.goto(f"{server.url}/events/?q=source%3Apaper")
    page.emulate_media(media="print")
    for gone in ("header", "form.search", ".range", ".foot", ".facets", "footer"):
        expect(page.locator(gone).first).to_be_hidden()
    expect(page.locator("#rows")).to_contain_text("paper 0")

    page.locator("[data-open]").first.evaluate("link => link.click()")

    expect(page.locator(".prompt")).to_have_text("paper 0")
    expect(page.locator(".text-tools")).to_be_hidden()


@pytest.mark.parametrize(("wish", "moves"), [("reduce", "none"), ("no-preference", "fresh")])
def test_nothing_moves_for_whoever_wants_that(browser: Browser, server: Server, wish: str, moves: str) -> None:
    send(server, "still", 1)
    context = browser.new_context(reduced_motion=wish)  # type: ignore[arg-type]
    page = context.new_page()
    log_in(page, server)
    page.goto(f"{server.url}/events/?q=source%3Astill")

    row = page.locator("#rows tr").first
    row.evaluate("row => row.classList.add('fresh')")

    expect(row).to_have_css("animation-name", moves)
    context.close()


def test_the_first_key_leads_past_the_menu(page: Page, server: Server) -> None:
    log_in(page, server)
    page.goto(f"{server.url}/events/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_visible()

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    expect(page.get_by_label("Search events")).to_be_focused()
