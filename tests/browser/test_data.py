"""What is held about a person, shown to them; and being forgotten, with a receipt to keep."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, Route, expect

from local.addin import AddIn, UnexpectedAnswerError
from local.child import ROOT
from shared.model import DeletionState
from shared.model.schema import TABLES
from tests.browser.pane import Pane, Somebody
from tests.browser.test_reach import CUT_OFF, NAMELESS, OVERFLOW

pytestmark = pytest.mark.browser

VERIFIER: Final = ROOT / "tools" / "verify_receipt.py"
SETTLING_MS: Final = 30_000


def fits(page: Page) -> None:
    assert page.evaluate(OVERFLOW) == 0
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(NAMELESS) == []


def held(pane: Pane) -> dict[str, int]:
    """What "Your data" shows: kind of row -> how many."""
    pane.page.get_by_role("button", name="Show what is held about me").click()
    rows = pane.page.locator("#held > li")
    expect(rows.first).to_be_visible()
    return {
        str(row.get_attribute("data-kind")): int(row.get_attribute("data-rows") or 0)
        for row in rows.all()
    }


def ask(pane: Pane) -> None:
    pane.page.get_by_role("button", name="Delete my data").click()
    expect(pane.page.get_by_role("dialog")).to_be_visible()


def confirm(pane: Pane) -> None:
    ask(pane)
    pane.page.get_by_role("button", name="Confirm with this code").click()
    expect(pane.page.get_by_role("heading", name="Your data is being deleted")).to_be_focused()


def hurry_to_the_receipt(pane: Pane) -> None:
    """The worker comes every minute; here it is asked to, until it has waited its ten seconds."""
    receipt = pane.page.get_by_role("heading", name="Receipt")
    with AddIn(pane.stack) as operator:
        for _ in range(SETTLING_MS // 1_000):
            operator.run_timer("deletion_worker")
            pane.page.wait_for_timeout(1_000)
            if receipt.is_visible():
                return
    raise AssertionError("no receipt")


def test_a_user_sees_what_is_held_and_why(pane: Pane) -> None:
    pane.sign_in_connected()
    pane.open_flow("Log_Email")
    pane.run()
    pane.run()

    shown = held(pane)

    assert shown["run"] == 2
    assert shown["user"] == shown["connection"] == 1
    user = pane.page.locator('[data-kind="user"]')
    (kind,) = [kind for kind in TABLES["users"].kinds if kind.name == "user"]
    expect(user).to_contain_text(kind.purpose)
    expect(user).to_contain_text(kind.retention)
    expect(pane.page.locator("#held-statements")).to_contain_text("backups")


def test_every_kind_of_row_and_every_step_has_plain_words(pane: Pane) -> None:
    pane.sign_in(Somebody.new())
    with pane.page.expect_response("**/me/data") as answering:
        held(pane)
    kinds = {one["kind"] for one in answering.value.json()["held"]}
    words, steps = pane.page.evaluate(
        "async () => [Object.keys((await import('/data_view.js')).KINDS),"
        " Object.keys((await import('/deletion_view.js')).STEPS)]"
    )

    assert set(words) == kinds
    assert steps == [state.value for state in DeletionState]


def test_a_user_is_deleted_and_gets_a_receipt_that_verifies(pane: Pane, tmp_path: Path) -> None:
    page = pane.page
    somebody = pane.sign_in_connected()
    pane.open_flow("Log_Email")
    pane.run()
    with page.expect_response("**/deletion-requests") as asking:
        confirm(pane)
    asked = asking.value.json()

    expect(page.locator("#account")).to_have_text("Not signed in")
    for gone in ("#salesforce", "#history", "#data", "#flows", "#flow", "#sign-in"):
        expect(page.locator(gone)).to_be_hidden()
    assert asked["status_token"] not in page.content()
    assert asked["confirmation_code"] not in page.content().replace(" ", "")
    hurry_to_the_receipt(pane)

    steps = page.locator("#deletion-steps > li")
    expect(page.locator("#deletion-steps > li[data-done]")).to_have_count(steps.count())
    expect(page.get_by_role("heading", name="Your data was deleted")).to_be_visible()
    expect(page.locator("#receipt")).to_contain_text(asked["id"])
    expect(page.locator("#receipt")).to_contain_text("1 in users")
    files = {}
    for name in ("Save the receipt", "Save the keys"):
        with page.expect_download() as saving:
            page.get_by_role("link", name=name).click()
        files[name] = tmp_path / saving.value.suggested_filename
        saving.value.save_as(files[name])
    whose = ["--tenant", f"ms-{somebody.organisation}"]
    verified = subprocess.run(
        [sys.executable, VERIFIER, *files.values(), *whose],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    assert asked["id"] in verified.stdout

    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Who would you like to be?")).to_be_focused()
    expect(page.locator("#receipt")).to_be_empty()
    pane.sign_in(somebody)
    expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    expect(page.get_by_role("heading", name="Connect Salesforce")).to_be_visible()


def test_keeping_ones_data_changes_nothing(pane: Pane) -> None:
    pane.sign_in_connected()
    ask(pane)
    pane.page.get_by_role("button", name="Keep my data").click()

    expect(pane.page.get_by_role("dialog")).to_have_count(0)
    expect(pane.page.locator("#account")).to_contain_text("signed in")
    pane.open_flow("Log_Email")
    pane.run()
    expect(pane.history()).to_have_count(1)


def test_an_old_session_is_made_fresh_before_it_confirms(pane: Pane) -> None:
    """The service's refusal is given once in its stead: a session is old after five minutes."""
    pane.expect_complaint("status of 403")
    refusal = {"code": "confirmation_required", "status": 403, "incident": "0" * 32}
    pane.sign_in(Somebody.new())

    def refuse(route: Route) -> None:
        route.fulfill(
            status=403,
            body=json.dumps(refusal),
            content_type="application/problem+json",
            headers={"Access-Control-Allow-Origin": pane.stack.sidebar},
        )

    pane.page.route("**/confirm", refuse, times=1)
    ask(pane)
    pane.page.get_by_role("button", name="Confirm with this code").click()
    expect(pane.problem("delete")).to_contain_text("fresh sign-in")
    with pane.page.expect_request("**/sso/exchange"):
        pane.page.get_by_role("button", name="Sign in again and confirm").click()

    expect(pane.page.get_by_role("heading", name="Your data is being deleted")).to_be_visible()


def test_whoever_is_being_deleted_is_not_let_in_meanwhile(pane: Pane) -> None:
    somebody = Somebody.new()
    pane.sign_in(somebody)
    confirm(pane)

    with (
        AddIn(pane.stack) as elsewhere,
        pytest.raises(UnexpectedAnswerError, match="deletion_in_progress"),
    ):
        elsewhere.sign_in_with_microsoft(somebody.organisation, somebody.person)


def test_all_of_it_fits_into_320_px(narrow_pane: Pane) -> None:
    pane = narrow_pane
    pane.sign_in_connected()
    held(pane)
    fits(pane.page)
    ask(pane)
    fits(pane.page)
    pane.page.get_by_role("button", name="Confirm with this code").click()
    expect(pane.page.locator("#deletion-steps > li")).to_have_count(len(DeletionState))
    fits(pane.page)
    hurry_to_the_receipt(pane)
    fits(pane.page)
