"""`make run DATA=folder`: what was stored can still be opened after a restart."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from local.addin import AddIn
from local.stack import Stack
from local.stack_info import StackInfo

pytestmark = pytest.mark.stack


def test_a_user_is_still_the_same_after_a_restart(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with Stack(data=tmp_path, keep=True) as stack, AddIn(stack.info) as pane:
            seen.append(pane.sign_in_with_google("kept.example.com", "7")["user"]["id"])

    assert seen[0] == seen[1]


def test_backups_are_kept_as_well(tmp_path: Path) -> None:
    """Whether they are still there is what a restore says: the tenant has rows, so it is refused
    for these, and not because it finds no file."""
    printed = []
    for name in ("7", "8"):
        with Stack(data=tmp_path, keep=True) as stack, AddIn(stack.info) as pane:
            if name == "7":
                pane.sign_in_with_google("kept.example.com", name)
                _back_up(stack.info)
            printed.append(_restore(stack.info))

    assert "tenant_not_empty" in printed[0]
    assert printed[1] == printed[0]


def _back_up(info: StackInfo) -> None:
    """As an operator would, at once."""
    with requests.Session() as session:
        session.trust_env = False
        url = f"{info.service}/admin/functions/backup"
        assert session.post(url, json={}, timeout=10).status_code == 202
    deadline = time.monotonic() + 20
    while "tenant_not_empty" not in _restore(info) and time.monotonic() < deadline:
        time.sleep(0.2)


def _restore(info: StackInfo) -> str:
    return subprocess.run(
        [sys.executable, "-m", "local.restore", "--tenant", "all", "--date", "latest"],
        env={**os.environ, "FLOWRUNNER_LOCAL_STACK": str(info.data / "stack.json")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def test_without_keeping_a_restart_is_a_new_world(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with Stack(data=tmp_path) as stack, AddIn(stack.info) as pane:
            seen.append(pane.sign_in_with_google("kept.example.com", "7")["user"]["id"])

    assert seen[0] != seen[1]
