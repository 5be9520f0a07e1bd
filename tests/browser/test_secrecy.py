"""What nobody else may get hold of: the session, the completion code, and the pane itself."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Request, Route, expect

from local.stack_info import StackInfo
from tests.browser.chromium import launched
from tests.browser.pane import Pane, Somebody

pytestmark = pytest.mark.browser

EVERYTHING_KEPT = """async () => JSON.stringify([
  {...localStorage}, {...sessionStorage}, document.cookie, history.state, window.name,
  await indexedDB.databases(), await caches.keys(), location.href,
  document.documentElement.outerHTML, Object.values(window).filter((v) => typeof v === "string"),
  [...document.querySelectorAll("input, textarea, select")].map((field) => field.value),
])"""


def test_the_session_token_is_in_no_storage_no_address_and_no_element(pane: Pane) -> None:
    with pane.page.expect_response("**/sso/exchange") as exchanging:
        pane.sign_in(Somebody.new())
    token = exchanging.value.json()["session_token"]
    pane.connect()
    pane.open_flow("Log_Email")
    pane.run()

    assert len(token) > 100
    assert token not in pane.page.evaluate(EVERYTHING_KEPT)
    assert token not in str(pane.page.context.storage_state(indexed_db=True))
    assert [one.url for one in pane.requests if token in f"{one.url} {one.post_data}"] == []
    carried = {urlsplit(one.url).netloc for one in pane.requests if token in str(one.headers)}
    assert carried == {urlsplit(pane.stack.service_https).netloc}


def test_a_reload_forgets_the_session(pane: Pane) -> None:
    pane.sign_in(Somebody.new())
    pane.page.reload()

    expect(pane.page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(pane.page.locator("#account")).to_have_text("Not signed in")


def test_the_next_person_sees_nothing_of_the_last_one(pane: Pane) -> None:
    pane.sign_in_connected("microsoft")
    pane.open_flow("Log_Email")
    pane.run()
    expect(pane.history()).to_have_count(1)
    pane.page.get_by_role("button", name="Sign out").click()
    pane.sign_in(Somebody.new("google"))

    expect(pane.page.get_by_role("heading", name="Connect Salesforce")).to_be_visible()
    expect(pane.page.get_by_text("Nothing has run yet")).to_be_visible()
    for emptied in ("#runs", "#flow-list", "#connections"):
        expect(pane.page.locator(emptied)).to_be_empty()
    expect(pane.page.locator("#flow")).to_be_hidden()


def test_signing_out_gives_up_the_salesforce_window(pane: Pane) -> None:
    pane.sign_in(Somebody.new())
    window = pane.open_salesforce()
    with window.expect_event("close"):
        pane.page.get_by_role("button", name="Sign out").click()
    pane.sign_in(Somebody.new("google"))

    expect(pane.page.get_by_role("button", name="Connect Salesforce")).to_be_enabled()
    expect(pane.problem("connect")).to_have_count(0)


def test_an_answer_that_comes_after_signing_out_is_not_shown(pane: Pane) -> None:
    pane.sign_in_connected("microsoft")
    pane.open_flow("Create_Case")
    release = pane.hold_the_next_answer("*/flows/Create_Case/runs")
    pane.run_button.click()
    pane.page.get_by_role("button", name="Sign out").click()
    pane.sign_in_connected("google")
    pane.open_flow("Log_Email")
    pane.run()
    with pane.page.expect_event("requestfinished", is_run_of_create_case):
        release()
    pane.page.evaluate("new Promise((done) => setTimeout(done))")  # the page has taken it in

    expect(pane.page.locator("#result")).to_contain_text("Log Email has run")
    expect(pane.problem("run")).to_have_count(0)
    expect(pane.history()).to_have_count(1)


def is_run_of_create_case(request: Request) -> bool:
    return request.method == "POST" and request.url.endswith("/Create_Case/runs")


def test_the_outcome_page_takes_the_code_out_of_its_address(pane: Pane) -> None:
    page = pane.page.context.new_page()
    page.goto(f"{pane.stack.sidebar}/connected.html#completion=a-code-nobody-asked-for")

    expect(page.get_by_role("heading", name="Not connected")).to_be_visible()
    assert page.url == f"{pane.stack.sidebar}/connected.html"


def test_an_outcome_from_anywhere_but_the_salesforce_window_is_ignored(pane: Pane) -> None:
    """Whoever can post messages to the pane could otherwise slip in a code of their own."""
    pane.sign_in(Somebody.new())
    window = pane.open_salesforce()
    pane.page.evaluate(
        "postMessage({type: 'flowrunner.connected', completion: 'forged'}, location.origin)"
    )
    window.locator("#user-alice").click()
    window.locator("#allow").click()

    expect(pane.page.locator("#connections .health")).to_have_text("Connected")
    completing = [one.post_data or "" for one in pane.requests if one.url.endswith("/complete")]
    assert len([body for body in completing if body]) == 1
    assert "forged" not in str(completing)


def test_the_page_of_the_service_hands_over_the_code_as_well(pane: Pane) -> None:
    """Without `return_to`, the service's own page posts the code to the window's opener."""
    # It posts to each of its origins; the browser notes those that are not the pane's.
    pane.expect_complaint("does not match the recipient window's origin")
    pane.sign_in(Somebody.new())
    pane.page.route("**/salesforce/connections", _without_return_to)
    pane.connect()

    visited = [urlsplit(one.url).path for one in pane.requests if one.is_navigation_request()]
    assert visited[-1] == "/api/v1/salesforce/callback"


def test_a_browser_that_does_not_know_the_authority_refuses_the_stack(
    stack: StackInfo, browser: Browser, tmp_path: Path
) -> None:
    """So the certificates are really verified in all other tests."""
    with launched(browser.browser_type, stack, home=tmp_path) as stranger:
        page = stranger.new_page()

        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            page.goto(stack.sidebar)


def _without_return_to(route: Route) -> None:
    if route.request.method == "POST":
        asked = json.loads(route.request.post_data or "")
        route.continue_(post_data={"login_host": asked["login_host"]})
    else:
        route.continue_()
