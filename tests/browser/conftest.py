"""A real Chromium beside the running stack, and in it the pane as a person sees it."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from local.browser import QUIET, resolver_rules, trust
from local.chromium import find_chromium
from local.stack_info import StackInfo
from tests.browser.pane import Pane, opened_pane

CONTAINER = ("--headless=new", "--no-sandbox", "--disable-gpu")
"""No screen, and no user namespaces, as on machines of CI."""

type PaneFactory = Callable[[], Pane]


# Not for the whole session: while it runs, Playwright holds this thread's event loop.
@pytest.fixture(scope="package")
def browser(stack: StackInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    executable = find_chromium()
    assert executable is not None, "Chromium is missing: python -m local.chromium says what to do"
    home = tmp_path_factory.mktemp("home")
    trust(stack.authority, home)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=[*CONTAINER, *QUIET, resolver_rules(stack)],
            env={**os.environ, "HOME": str(home)},
        )
        yield chromium
        chromium.close()


@pytest.fixture
def pane(clean_stack: StackInfo, browser: Browser) -> Iterator[Pane]:
    """The pane on a wide screen. Whatever the browser complains about fails the test."""
    with opened_pane(browser, clean_stack) as opened:
        yield opened


@pytest.fixture
def narrow_pane(clean_stack: StackInfo, browser: Browser) -> Iterator[Pane]:
    """The same, 320 px wide."""
    with opened_pane(browser, clean_stack, width=320) as opened:
        yield opened
