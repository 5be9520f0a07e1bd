"""Where Chromium is on this machine. `python -m local.chromium` prints it, or what to do."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

_COMMANDS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of an installed Chromium: the one that `FLOWRUNNER_CHROMIUM` names, one on the
    PATH, or Playwright's own. Nothing is installed."""
    named = os.environ.get("FLOWRUNNER_CHROMIUM")
    if named:
        return named if Path(named).is_file() else None
    on_path = next(filter(None, map(shutil.which, _COMMANDS)), None)
    return on_path or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow, and often not needed

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def main() -> int:
    found = find_chromium()
    if found is None:
        print(
            "Chromium is missing: install it, or name it in FLOWRUNNER_CHROMIUM, "
            "or run `.venv/bin/playwright install chromium`",
            file=sys.stderr,
        )
        return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
