"""`python -m local.browser`: a person's way to the sidebar, with the stack trusted and reached."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.child import ROOT
from local.stack_info import StackInfo

pytestmark = pytest.mark.browser

# Stands in for Chromium, which has no screen here: keeps its arguments, and what its home trusts.
RECORDER = """#!{python}
import json, os, subprocess, sys
trusted = ["certutil", "-d", "sql:" + os.environ["HOME"] + "/.pki/nssdb", "-L"]
found = subprocess.run(trusted, capture_output=True, text=True, check=True).stdout
with open({kept!r}, "w") as kept:
    json.dump({{"arguments": sys.argv[1:], "trusted": found}}, kept)
"""


def open_browser(data: Path, chromium: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.browser", str(data)],
        cwd=ROOT,
        env={**os.environ, "FLOWRUNNER_CHROMIUM": str(chromium)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_opens_the_sidebar_of_the_running_stack(stack: StackInfo, tmp_path: Path) -> None:
    chromium, kept = tmp_path / "chromium", tmp_path / "kept.json"
    chromium.write_text(RECORDER.format(python=sys.executable, kept=str(kept)))
    chromium.chmod(0o700)

    assert open_browser(stack.data, chromium).returncode == 0

    seen = json.loads(kept.read_text())
    assert f"--app={stack.sidebar}/" in seen["arguments"]
    (rules,) = [one for one in seen["arguments"] if one.startswith("--host-resolver-rules=")]
    assert f"MAP login.salesforce.com 127.0.0.1:{stack.pins['login.salesforce.com']}" in rules
    assert "FlowRunner local stack" in seen["trusted"]
    assert not [one for one in seen["arguments"] if "ignore" in one]


def test_without_a_stack_it_says_so(tmp_path: Path) -> None:
    answer = open_browser(tmp_path, Path(sys.executable))

    assert answer.returncode == 1
    assert "start the stack first" in answer.stderr
    assert "Traceback" not in answer.stderr
