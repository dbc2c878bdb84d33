"""A rule being written, in a real browser."""

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.browser.conftest import log_in
from tests.servers import Server

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.fixture
def rule(server: Server) -> str:
    """The path of a rule that no other test has."""
    content = {"name": "Before", "details": "What it is for.", "pattern": "quuxfrobnicate", "action": "notify"}
    status, made = server.call("POST", "/rules", content)
    assert status == 201, made
    return f"/rules/{made['id']}"


@pytest.fixture
def editing(page: Page, server: Server, rule: str) -> Page:
    """The rule's form."""
    log_in(page, server)
    page.goto(f"{server.url}{rule}/edit")
    return page


def test_faults_warnings_and_samples_show_while_somebody_types(editing: Page, faults: list[str]) -> None:
    pattern, samples = editing.get_by_label("Pattern"), editing.get_by_role("textbox", name="Texts that must match")
    pattern.fill("(?i)ignore\nbro(ken")
    # The first answer of a worker can take as long as it takes to start.
    expect(editing.get_by_text("line 2, column 8: missing )")).to_be_visible(timeout=30_000)
    expect(pattern).to_have_attribute("aria-invalid", "true")
    expect(editing.locator("#check-status")).to_contain_text("1 fault")

    pattern.fill("(?i)ignore all\nword")
    samples.fill("please IGNORE ALL <b>of it</b>\nhello\naWdub3JlIGFsbCBvZiB0aGlz")

    results = editing.locator("#must_match-results")
    expect(results.locator("mark")).to_have_text(["IGNORE ALL", "aWdub3JlIGFsbCBv"], timeout=30_000)
    expect(results.locator("li").nth(0)).to_contain_text("<b>of it</b>")
    expect(results.locator("li").nth(1)).to_contain_text("no match")
    expect(results.locator("li").nth(2)).to_contain_text("matches as base64")
    expect(editing.get_by_text("line 2: tells upper from lower case")).to_be_visible()
    expect(pattern).not_to_have_attribute("aria-invalid", "true")
    expect(editing.locator("#check-status")).to_have_text("No fault, 1 warning, 2 of 3 samples right.")
    assert faults == []


def test_the_server_is_asked_once_300_ms_after_the_last_key(editing: Page) -> None:
    asked: list[str] = []
    editing.on("request", lambda request: asked.append(request.url) if request.url.endswith("/check") else None)
    # What was asked for when the page came is no answer to a key.
    editing.wait_for_load_state("networkidle")
    editing.clock.install()
    editing.clock.pause_at("2030-01-01")
    before = len(asked)
    for _ in range(3):
        editing.get_by_label("Pattern").press("x")
        editing.clock.run_for(299)
    assert len(asked) == before

    with editing.expect_request(lambda request: request.url.endswith("/check")):
        editing.clock.run_for(1)

    editing.clock.run_for(1000)
    assert len(asked) == before + 1


@pytest.mark.parametrize("next_page", ["whole", "left before its script runs"])
def test_unsaved_text_is_guarded_and_saved_text_is_not(
    editing: Page, server: Server, rule: str, next_page: str
) -> None:
    if next_page != "whole":
        editing.route("**/rules.js*", lambda route: route.abort())
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    editing.on("dialog", stay)
    editing.get_by_label("Details").press_sequentially("More. ")
    editing.get_by_role("link", name="Cancel").click()
    assert asked == ["beforeunload"]
    expect(editing).to_have_url(f"{server.url}{rule}/edit")

    editing.get_by_role("button", name="Save").click()

    expect(editing).to_have_url(f"{server.url}{rule}")
    assert asked == ["beforeunload"]
    editing.goto(f"{server.url}{rule}/edit")
    expect(editing.get_by_text("There is unsaved text of yours")).to_have_count(0)


def test_a_draft_outlives_the_session(editing: Page, server: Server, rule: str) -> None:
    editing.get_by_label("Details").fill("Written before the session ended.")
    # Deleting the cookie would not do: the answer to a check that is under way brings it back.
    other_tab = editing.context.new_page()
    other_tab.goto(server.url)
    other_tab.get_by_role("button", name="Log out admin").click()
    other_tab.get_by_label("Name").wait_for()
    editing.get_by_role("button", name="Save").click()
    expect(editing.get_by_label("Details")).to_have_count(0)

    log_in(editing, server)
    editing.goto(f"{server.url}{rule}/edit")
    expect(editing.get_by_label("Details")).not_to_have_value("Written before the session ended.")
    editing.get_by_role("button", name="Take it up again").click()

    expect(editing.get_by_label("Details")).to_have_value("Written before the session ended.")


@pytest.mark.parametrize("script", ["there", "late"])
def test_two_editors_choose_field_by_field(editing: Page, server: Server, rule: str, script: str) -> None:
    late: list[Route] = []

    def hold(route: Route) -> None:
        late.append(route)

    if script == "late":
        editing.route("**/rule-edit.js*", hold)
    server.call("PUT", rule, {"name": "Theirs", "category": "theirs", "comment": "because"})
    editing.get_by_label("Name").fill("Mine")
    editing.get_by_label("Details").fill("My details.")
    editing.get_by_role("button", name="Save").click()

    row = editing.get_by_role("row").filter(has_text="Theirs")
    expect(editing.get_by_role("heading", name="Somebody else was faster")).to_be_visible()
    expect(editing.get_by_label("Category")).to_have_value("theirs")
    expect(editing.get_by_role("textbox", name="Name")).to_have_value("Mine")
    row.get_by_label("theirs").check()
    for request in late:
        request.continue_()
    expect(editing.get_by_role("textbox", name="Name")).to_have_value("Theirs")
    editing.get_by_role("button", name="Save").click()

    expect(editing.get_by_role("heading", name="Theirs")).to_be_visible()
    rule = server.call("GET", rule)[1]
    assert (rule["name"], rule["category"], rule["details"], rule["version"]) == ("Theirs", "theirs", "My details.", 3)


@pytest.mark.parametrize("java_script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_many_rules_are_changed_at_once(page: Page, server: Server, java_script: bool) -> None:
    assert page.context.browser
    context = page.context.browser.new_context(java_script_enabled=java_script)
    page = context.new_page()
    log_in(page, server)
    tag = "reviewed" if java_script else "looked-at"
    page.goto(f"{server.url}/rules/?q=status:enforce")
    page.get_by_label("Choose").first.check()
    page.locator("[name=change]").select_option("add-tag")
    page.locator("[name=tag]").fill(tag)
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_role("heading", name="1 rule would be given the tag")).to_be_visible()
    page.get_by_role("button", name="Change 1 rule").click()

    expect(page.get_by_text("1 rule changed.")).to_be_visible()
    page.goto(f"{server.url}/rules/?q=tag:{tag}")
    expect(page.locator(".rule-name")).to_have_count(1)
    context.close()
