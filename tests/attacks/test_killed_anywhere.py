"""O-17: a process killed with SIGKILL after each of its requests, in turn, in a refresh and in a
disconnection. `make crash` does so to everything that touches a grant, and before each of them,
which is the same for the world outside."""

from collections.abc import AsyncIterator

import pytest

from bench.crash.report import lines
from bench.crash.sweep import Crash, crash_on
from bench.crash.works import DISCONNECT, REFRESH
from local.stack_info import StackInfo
from tests.attacks.outgoing import REDEMPTION, REVOCATION
from tests.control_client import ControlClient

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture
async def crash(
    stack: StackInfo, control: ControlClient, identity_endpoint: None
) -> AsyncIterator[Crash]:
    async with crash_on(stack, control) as found:
        yield found


async def test_O17_a_refresh_killed_anywhere_loses_its_grant_only_with_salesforces_answer(
    crash: Crash,
) -> None:
    swept = await crash(REFRESH, moments=["after"])

    print("", *lines([swept]), sep="\n")  # noqa: T201 - the figures, for a person
    assert swept.broken == []
    assert len(swept.killed) == len(swept.steps)
    lost = [swept.steps[number] for number, one in enumerate(swept.killed) if one.verdict == "lost"]
    assert lost == [REDEMPTION]
    assert {one.verdict for one in swept.killed} == {"resumed", "lost"}


async def test_O17_a_disconnection_killed_anywhere_leaves_no_living_grant(crash: Crash) -> None:
    swept = await crash(DISCONNECT, moments=["after"])

    print("", *lines([swept]), sep="\n")  # noqa: T201 - the figures, for a person
    assert swept.broken == []
    assert len(swept.killed) == len(swept.steps)
    assert REVOCATION in swept.steps
    assert {one.verdict for one in swept.killed} == {"resumed", "cleanly failed"}
    assert sum(one.orphaned for one in swept.killed) == 0
