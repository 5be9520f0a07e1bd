"""A real Chromium that trusts the stack's authority and reaches the simulators, and nothing else.

Certificates are verified as ever: the authority is imported into the certificate database of a
home directory made for this browser alone. No option that ignores errors is given.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from local.chromium import find_chromium
from local.stack_info import StackInfo

_ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",  # containers of CI have no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_SECONDS: Final = 20


@contextmanager
def chromium(stack: StackInfo, home: Path) -> Iterator[Browser]:
    """Runs a browser whose home is the empty folder `home`."""
    executable = find_chromium()
    assert executable is not None, "Chromium is missing: python -m local.chromium says what to do"
    _trust(stack.authority, home)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=[*_ARGUMENTS, f"--host-resolver-rules={_resolver_rules(stack)}"],
            env={**os.environ, "HOME": str(home)},
        )
        try:
            yield browser
        finally:
            browser.close()


def _trust(authority: Path, home: Path) -> None:
    """NSS keeps a user's certificates in `~/.pki/nssdb`; Chromium on Linux reads them there."""
    certutil = shutil.which("certutil")
    assert certutil is not None, "certutil is missing: install libnss3-tools"
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    name = f"sql:{database}"
    for command in (
        [certutil, "-d", name, "-N", "--empty-password"],
        [certutil, "-d", name, "-A", "-t", "C,,", "-n", "stack", "-i", str(authority)],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)


def _resolver_rules(stack: StackInfo) -> str:
    """The pinned names lead to their simulators; every other name leads nowhere."""
    pinned = [f"MAP {host} 127.0.0.1:{port}" for host, port in stack.pins.items()]
    return ", ".join([*pinned, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"])
