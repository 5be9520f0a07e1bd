"""A real Chromium beside the running stack, and in it the pane as a person sees it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.browser import trust
from local.stack_info import StackInfo
from tests.browser.chromium import launched
from tests.browser.pane import Pane, opened_pane

DEADLINE_MS = 15_000


# Not for the whole session: while it runs, Playwright holds this thread's event loop.
@pytest.fixture(scope="package")
def browser(stack: StackInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("home")
    trust(stack.authority, home)
    with sync_playwright() as playwright, launched(playwright.chromium, stack, home=home) as opened:
        yield opened


@pytest.fixture(scope="package")
def page(browser: Browser) -> Iterator[Page]:
    """One tab for all tests: the pane keeps nothing, as test_secrecy.py proves, so a fresh load is
    a fresh start."""
    with browser.new_context(locale="en-GB", timezone_id="Europe/Amsterdam") as context:
        context.set_default_timeout(DEADLINE_MS)
        expect.set_options(timeout=DEADLINE_MS)
        yield context.new_page()


@pytest.fixture
def pane(clean_stack: StackInfo, page: Page) -> Iterator[Pane]:
    """The pane on a wide screen. Whatever the browser complains about fails the test."""
    with opened_pane(page, clean_stack) as opened:
        yield opened


@pytest.fixture
def narrow_pane(clean_stack: StackInfo, page: Page) -> Iterator[Pane]:
    """The same, 320 px wide."""
    with opened_pane(page, clean_stack, width=320) as opened:
        yield opened
