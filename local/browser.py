"""`python -m local.browser`: the demo sidebar of a running stack, in a Chromium made for it.

Another browser does not know the stack's authority, and goes to the real login.salesforce.com. This
one trusts the authority, by a certificate database in a home folder of its own (Linux), and reaches
the simulators under the production host names, and nothing else. No check of certificates is
switched off. The browser tests use the same two functions.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from local.child import ROOT
from local.chromium import find_chromium
from local.stack_info import StackInfo

_CERTUTIL_SECONDS: Final = 20
QUIET: Final = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
"""Nothing that a Chromium does by itself: no first-run page, no calls home."""


class CertutilMissingError(Exception):
    def __init__(self) -> None:
        super().__init__("certutil is missing: install libnss3-tools (Debian) or nss-tools")


def resolver_rules(stack: StackInfo) -> str:
    """The option by which pinned names lead to their simulators, and every other name nowhere."""
    pinned = [f"MAP {host} 127.0.0.1:{port}" for host, port in stack.pins.items()]
    rules = [*pinned, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
    return f"--host-resolver-rules={', '.join(rules)}"


def trust(authority: Path, home: Path) -> None:
    """Import the authority into `home/.pki/nssdb`, where Chromium on Linux looks for trust.

    Raises CertutilMissingError, and CalledProcessError if the certificate is not accepted.
    """
    certutil = shutil.which("certutil")
    if certutil is None:
        raise CertutilMissingError
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    name = f"sql:{database}"
    for arguments in (
        ["-N", "--empty-password"],
        ["-A", "-t", "C,,", "-n", "FlowRunner local stack", "-i", str(authority)],
    ):
        subprocess.run(
            [certutil, "-d", name, *arguments],
            check=True,
            capture_output=True,
            timeout=_CERTUTIL_SECONDS,
        )


def _open(chromium: str, stack: StackInfo) -> int:
    with tempfile.TemporaryDirectory(prefix="flowrunner-browser-") as folder:
        home = Path(folder)
        trust(stack.authority, home)
        command = [
            chromium,
            *QUIET,
            resolver_rules(stack),
            f"--user-data-dir={home / 'profile'}",
            f"--app={stack.sidebar}/",
        ]
        return subprocess.run(command, env={**os.environ, "HOME": folder}, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.browser", description=__doc__)
    parser.add_argument(
        "data", type=Path, nargs="?", default=ROOT / ".local" / "7071", help="the stack's folder"
    )
    file: Path = parser.parse_args().data / "stack.json"
    chromium = find_chromium()
    if not file.is_file():
        print(f"{file} is missing: start the stack first, with `make run`", file=sys.stderr)
        return 1
    if chromium is None:
        print("Chromium is missing: `python -m local.chromium` says what to do", file=sys.stderr)
        return 1
    try:
        return _open(chromium, StackInfo.load(file))
    except CertutilMissingError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
