"""The pane serves everybody: in a narrow pane, by keyboard, in plain words, with several orgs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from shared.errors import FlowRunnerError
from shared.model import Health, RunOutcome
from tests.browser.orgs import invocations
from tests.browser.pane import Pane, Somebody
from tests.control_client import ControlClient

pytestmark = pytest.mark.browser

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT_OFF = """[...document.querySelectorAll("#pane *")]
  .filter((one) => one.checkVisibility() && !one.closest(".hidden-text"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML)"""
NAMELESS = """[...document.querySelectorAll("input, select, textarea")]
  .filter((one) => one.checkVisibility() && !one.labels.length).map((one) => one.outerHTML)"""


def kinds_of(kind: type[FlowRunnerError]) -> Iterator[type[FlowRunnerError]]:
    for child in kind.__subclasses__():
        yield child
        yield from kinds_of(child)


def test_every_code_of_the_service_has_plain_words(pane: Pane) -> None:
    codes = sorted({kind.code for kind in kinds_of(FlowRunnerError) if hasattr(kind, "code")})
    words = pane.page.evaluate(
        "async (codes) => codes.map((await import('/problems.js')).plainWords)", codes
    )

    unsaid = [
        code for code, said in zip(codes, words, strict=True) if said == "Something went wrong."
    ]
    assert len(codes) > 30
    assert unsaid == []


def test_every_health_and_every_outcome_has_plain_words(pane: Pane) -> None:
    known = pane.page.evaluate(
        "async () => { const { HEALTH, OUTCOMES } = await import('/problems.js');"
        " return [Object.keys(HEALTH), Object.keys(OUTCOMES)]; }"
    )

    assert [set(names) for names in known] == [set(Health), set(RunOutcome)]


def test_nothing_is_cut_off_in_a_pane_of_320_px(narrow_pane: Pane) -> None:
    pane = narrow_pane
    page = pane.page

    def fits() -> None:
        assert page.evaluate(OVERFLOW) == 0
        assert page.evaluate(CUT_OFF) == []
        assert page.evaluate(NAMELESS) == []

    page.get_by_text("Be somebody else").click()
    fits()
    page.get_by_text("Be somebody else").click()
    pane.sign_in(Somebody.new())
    fits()
    pane.connect()
    fits()
    pane.open_mail("special")
    pane.open_flow("Log_Email")
    pane.run()
    fits()
    pane.open_flow("ns__Sync_Contact")
    fits()
    pane.open_flow("Always_Faults")
    pane.expect_complaint("status of 422")
    pane.run()
    fits()


def test_a_flow_can_be_run_by_keyboard_alone(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    expect(pane.page.get_by_role("heading", name="Flows", exact=True)).to_be_focused()
    keyboard = pane.page.keyboard
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(pane.page.get_by_role("heading", name="Log Email")).to_be_focused()
    keyboard.press("Tab")
    expect(pane.run_button).to_be_focused()
    keyboard.press("Enter")

    expect(pane.page.locator("#result [data-status=succeeded]")).to_be_visible()
    expect(pane.run_button).to_be_focused()
    assert len(invocations(control)) == 1


def test_of_two_orgs_the_chosen_one_runs_the_flow(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    page = pane.page
    page.get_by_role("button", name="Connect another org").click()
    page.get_by_label("Where do you log in?").select_option("test.salesforce.com")
    window = pane.open_salesforce()
    window.locator("#user-alice").click()
    window.locator("#allow").click()
    rows = page.locator("#connections > li")
    expect(rows).to_have_count(2)

    expect(rows.filter(has_text="In use")).to_contain_text("contoso--uat.sandbox.my.salesforce.com")
    page.get_by_role("button", name="Use this org").click()
    expect(rows.filter(has_text="In use")).to_contain_text("contoso.my.salesforce.com")
    pane.open_flow("Log_Email")
    pane.run()

    received = control.get("/_sim/salesforce/ledger")["requests"]
    ran = [
        one["host"] for one in received if one["method"] == "POST" and "/actions/" in one["path"]
    ]
    assert ran == ["contoso.my.salesforce.com"]


def test_a_service_out_of_reach_is_said_with_what_may_help(pane: Pane) -> None:
    pane.expect_complaint("ERR_INTERNET_DISCONNECTED")
    pane.page.route(
        f"{pane.stack.service_https}/**", lambda route: route.abort("internetdisconnected")
    )
    pane.be(Somebody.new())
    pane.page.get_by_role("button", name="Sign in").click()

    expect(pane.problem("sign-in")).to_have_attribute("data-code", "out_of_reach")
    expect(pane.problem("sign-in")).to_contain_text("authority")
    expect(pane.page.get_by_role("button", name="Sign in")).to_be_enabled()


def test_a_step_that_the_organisation_asks_for_is_said(pane: Pane, control: ControlClient) -> None:
    pane.expect_complaint("status of 401")
    control.post("/_sim/entra/obo", {"error": "interaction_required", "claims": "{}"})
    pane.be(Somebody.new())
    pane.page.get_by_role("button", name="Sign in").click()

    expect(pane.problem("sign-in")).to_have_attribute("data-code", "interaction_required")
    expect(pane.problem("sign-in")).to_contain_text("one more sign-in step")
