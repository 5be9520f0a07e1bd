"""The whole journey in a real browser: sign in, connect, see what leaves, run, look back, leave."""

import re

import pytest
from playwright.sync_api import expect

from local import scene
from local.addin import AddIn
from tests.browser.orgs import invocations, put_flows
from tests.browser.pane import Pane, Provider, Somebody
from tests.control_client import ControlClient

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("provider", "user"), [("microsoft", "alice"), ("google", "bob")])
def test_a_user_signs_in_connects_runs_a_flow_and_leaves(
    pane: Pane, control: ControlClient, provider: Provider, user: str
) -> None:
    page = pane.page
    pane.sign_in(Somebody.new(provider))
    expect(page.get_by_role("heading", name="Connect Salesforce")).to_be_focused()

    pane.connect(user)
    expect(page.locator("#connections .name")).to_have_text(scene.SALESFORCE_ORG_HOST)
    expect(page.get_by_role("heading", name="Flows", exact=True)).to_be_focused()
    expect(page.locator("#flow-list button")).to_have_count(7)

    pane.open_mail("damaged")
    pane.open_flow("Log_Email")
    expect(page.get_by_role("heading", name="Log Email")).to_be_focused()
    pane.run()
    expect(page.locator("#result [data-status=succeeded]")).to_be_visible()
    output = page.locator("#result [data-output=subject] dd")
    expect(output).to_have_text("Delivery 20871 arrived damaged")
    expect(pane.history()).to_have_count(1)
    expect(pane.history()).to_contain_text("Log_Email")
    expect(pane.history()).to_contain_text("Succeeded")
    assert len(invocations(control)) == 1

    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("heading", name="Connect Salesforce")).to_be_focused()
    (grant,) = control.get("/_sim/salesforce/ledger")["grants"]
    assert (grant["user"], grant["ended"]) == (user, "revoked")

    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#account")).to_have_text("Not signed in")
    expect(page.get_by_role("heading", name="Who would you like to be?")).to_be_focused()
    expect(pane.history()).to_have_count(0)


def test_saying_no_at_salesforce_is_told_in_plain_words_and_can_be_made_good(pane: Pane) -> None:
    pane.sign_in(Somebody.new())
    window = pane.open_salesforce()
    window.locator("#deny").click()

    problem = pane.problem("connect")
    expect(problem).to_have_attribute("data-code", "salesforce_forbidden")
    expect(problem).to_contain_text("Salesforce said no")

    pane.connect()
    expect(problem).to_have_count(0)


def test_closing_the_salesforce_window_ends_the_wait(pane: Pane) -> None:
    pane.sign_in(Somebody.new())
    pane.open_salesforce().close()

    expect(pane.problem("connect")).to_have_attribute("data-code", "window_closed")
    expect(pane.page.get_by_role("button", name="Connect Salesforce")).to_be_enabled()


def test_a_double_click_runs_the_flow_once(pane: Pane, control: ControlClient) -> None:
    put_flows(control, {"name": "Slow", "behaviour": "slow", "delay": 0.5})
    pane.sign_in_connected()
    pane.open_flow("Slow")

    pane.run_button.dblclick()

    expect(pane.run_button).to_have_attribute("aria-disabled", "true")
    expect(pane.page.locator("#result [data-status=succeeded]")).to_be_visible()
    expect(pane.history()).to_have_count(1)
    expect(pane.problem("run")).to_have_count(0)
    assert len(invocations(control)) == 1


def test_every_click_is_a_run_of_its_own(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    pane.open_flow("Log_Email")

    for runs in (1, 2):
        pane.run()
        expect(pane.history()).to_have_count(runs)

    assert len(invocations(control)) == 2


def test_a_click_after_a_lost_answer_does_not_run_the_flow_again(
    pane: Pane, control: ControlClient
) -> None:
    pane.sign_in_connected()
    pane.open_flow("Log_Email")
    pane.expect_complaint("ERR_CONNECTION_RESET")
    pane.expect_complaint("status of 409")  # duplicate_run
    pane.lose_the_next_answer("*/flows/Log_Email/runs")

    pane.run()
    expect(pane.problem("run")).to_have_attribute("data-code", "answer_lost")
    pane.run_button.click()

    expect(pane.problem("run")).to_have_attribute("data-code", "duplicate_run")
    expect(pane.problem("run")).to_contain_text("It had already run, and succeeded.")
    assert len(invocations(control)) == 1


def test_a_fault_of_the_flow_shows_the_words_of_salesforce(pane: Pane) -> None:
    pane.sign_in_connected()
    pane.open_flow("Always_Faults")
    pane.expect_complaint("status of 422")
    pane.run()

    expect(pane.problem("run")).to_have_attribute("data-code", "flow_failed")
    expect(pane.problem("run")).to_contain_text("An error occurred when executing a flow interview")
    expect(pane.problem("run")).to_contain_text(re.compile("Reference [0-9a-f]{32}"))
    expect(pane.history()).to_contain_text("Failed")


def test_a_waiting_flow_is_told_from_a_finished_one(pane: Pane) -> None:
    pane.sign_in_connected()
    pane.open_flow("Waits_For_Approval")
    pane.run()

    expect(pane.page.locator("#result [data-status=waiting]")).to_contain_text("waits")
    expect(pane.history()).to_contain_text("Waiting")


def test_a_flow_with_screens_is_described_and_not_run(pane: Pane) -> None:
    pane.sign_in_connected()
    pane.open_flow("New_Lead_Screen")

    assert list(pane.leaving()) == ["sender_email"]
    expect(pane.page.locator("#screen-notice")).to_be_visible()
    expect(pane.run_button).to_be_hidden()
    pane.open_flow("Log_Email")
    expect(pane.page.locator("#screen-notice")).to_be_hidden()


def test_a_flow_with_screens_opens_in_salesforce_as_the_user(pane: Pane) -> None:
    pane.sign_in_connected()
    pane.open_flow("New_Lead_Screen")
    with pane.page.expect_popup() as opening:
        pane.page.get_by_role("button", name="Open in Salesforce").click()
    window = opening.value

    expect(window.locator("#user")).to_have_text("alice")
    expect(window.locator("#start-url")).to_contain_text("/lightning/out/1Us")
    assert window.evaluate("window.opener") is None
    pane.expect_complaint("status of 403")
    window.reload()
    expect(window.get_by_text("was used before")).to_be_visible()
    expect(pane.page.locator("#problem-run")).to_be_empty()


def test_an_org_that_opens_nothing_is_said_and_leaves_no_window(
    pane: Pane, control: ControlClient
) -> None:
    pane.sign_in_connected()
    pane.open_flow("New_Lead_Screen")
    path = "/services/oauth2/lightningoutsingleaccess"
    fault = {"target": "salesforce", "match": path, "fault": "status", "value": 503, "times": 1}
    control.post("/_sim/faults", fault)
    pane.expect_complaint("status of 503")
    with pane.page.expect_popup() as opening:
        pane.page.get_by_role("button", name="Open in Salesforce").click()

    expect(pane.problem("run")).to_have_attribute("data-code", "salesforce_unavailable")
    assert opening.value.is_closed()


def test_a_grant_ended_at_salesforce_is_said_and_mended_by_connecting_again(
    pane: Pane, control: ControlClient
) -> None:
    pane.sign_in_connected()
    pane.open_flow("Log_Email")
    pane.expect_complaint("status of 409")
    control.post("/_sim/salesforce/revoke", {"user": "alice"})
    pane.run()

    expect(pane.problem("run")).to_have_attribute("data-code", "salesforce_not_connected")
    row = pane.page.locator("#connections > li")
    expect(row).not_to_have_attribute("data-health", "active")
    row.get_by_role("button", name="Connect again").click()
    pane.connect()
    pane.open_flow("Log_Email")
    pane.run()
    expect(pane.page.locator("#result [data-status=succeeded]")).to_be_visible()


def test_a_session_ended_elsewhere_asks_to_sign_in_again(pane: Pane) -> None:
    somebody = pane.sign_in_connected()
    with AddIn(pane.stack) as elsewhere:
        elsewhere.sign_in_with_microsoft(somebody.organisation, somebody.person)
        elsewhere.call("DELETE", "/sso/session", expect=204)

    pane.expect_complaint("status of 401")
    pane.page.locator("#choose-Log_Email").click()

    expect(pane.page.locator("#status")).to_contain_text("Your session has ended")
    expect(pane.page.get_by_role("button", name="Sign in")).to_be_visible()
    signed_in_parts = pane.page.locator("#flows, #flow, #salesforce, #history")
    expect(signed_in_parts.filter(visible=True)).to_have_count(0)
