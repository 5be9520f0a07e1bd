"""`make run DATA=folder`: what was stored can still be opened after a restart."""

from pathlib import Path

import pytest

from local.addin import AddIn
from local.stack import Stack

pytestmark = pytest.mark.stack


def test_a_user_is_still_the_same_after_a_restart(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with Stack(data=tmp_path, keep=True) as stack, AddIn(stack.info) as pane:
            seen.append(pane.sign_in_with_google("kept.example.com", "7")["user"]["id"])

    assert seen[0] == seen[1]


def test_without_keeping_a_restart_is_a_new_world(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with Stack(data=tmp_path) as stack, AddIn(stack.info) as pane:
            seen.append(pane.sign_in_with_google("kept.example.com", "7")["user"]["id"])

    assert seen[0] != seen[1]
