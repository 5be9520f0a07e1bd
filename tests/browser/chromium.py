"""Starting the real Chromium. No option that weakens the verification of certificates is given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserType

from local.browser import QUIET, resolver_rules
from local.chromium import find_chromium
from local.stack_info import StackInfo

# No screen, and no user namespaces, as on machines of CI.
_CONTAINER: Final = ("--headless=new", "--no-sandbox", "--disable-gpu")


@contextmanager
def launched(browser_type: BrowserType, stack: StackInfo, *, home: Path) -> Iterator[Browser]:
    """A browser with this home folder, for which the stack's names lead to its simulators."""
    executable = find_chromium()
    assert executable is not None, "Chromium is missing: python -m local.chromium says what to do"
    browser = browser_type.launch(
        executable_path=executable,
        args=[*_CONTAINER, *QUIET, resolver_rules(stack)],
        env={**os.environ, "HOME": str(home)},
    )
    try:
        yield browser
    finally:
        browser.close()
