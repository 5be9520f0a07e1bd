"""P-11: a process killed with SIGKILL at each of its requests, in turn, while it runs a Flow. The
same key, afterwards and in another process, never runs the Flow a second time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import pytest

from bench.crash.users import User, Users
from local.stack_info import StackInfo
from shared.model import LONGEST_RUN
from tests.attacks.flow_callers import ACTIONS
from tests.attacks.orders import Order, Workers, workers
from tests.attacks.outgoing import Kill
from tests.control_client import ControlClient
from tests.fakes import FakeFlow, variable

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

FLOW: Final = "Log_Email"
CALL: Final = f"salesforce POST {ACTIONS.removeprefix('/services/')}/{FLOW}"
LATER: Final = LONGEST_RUN.total_seconds() + 1
"""No call can be under way any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A worker that was killed, and what the same key was answered afterwards."""

    key: str
    kill: Kill
    at: str
    """The request at which it was killed."""
    again: Mapping[str, Any]
    later: Mapping[str, Any]
    ran: int
    """How often the org was sent the Flow with this key's mail, in the end."""

    @property
    def where(self) -> str:
        return f"{self.kill.moment} {self.at}"


class Runs:
    """One user, and workers that run a Flow for them: a process each, with nothing remembered."""

    def __init__(self, user: User, lane: Workers) -> None:
        self._user, self._lane = user, lane

    async def killed_everywhere(self) -> Sequence[Killed]:
        steps = await self._undisturbed()
        kills = [Kill(step=number, moment="after") for number in range(1, len(steps) + 1)]
        kills.append(Kill(step=CALL, moment="before"))
        keys = [await self._killed(kill) for kill in kills]
        again = await self._told(keys, ahead=0)
        later = await self._told(keys, ahead=LATER)
        ran = Counter(inputs["subject"] for inputs in self._user.scene.received())
        return [
            Killed(
                key=key,
                kill=kill,
                at=steps[kill.step - 1] if isinstance(kill.step, int) else kill.step,
                again=again[number],
                later=later[number],
                ran=ran[key],
            )
            for number, (key, kill) in enumerate(zip(keys, kills, strict=True))
        ]

    async def _undisturbed(self) -> Sequence[str]:
        """Twice: the first notes what is noted once, such as the Flow's name."""
        for _ in range(2):
            ended = await self._lane.work(Order(work="invoke", each=[self._arguments()]))
            assert ended.result[0]["status"] == "succeeded"
        return ended.answered

    async def _killed(self, kill: Kill) -> str:
        arguments = self._arguments()
        ended = await self._lane.work(Order(work="invoke", each=[arguments], kill=kill))
        assert ended.was_killed, f"there was no {kill}"
        return arguments["key"]

    async def _told(self, keys: Sequence[str], *, ahead: float) -> Sequence[Mapping[str, Any]]:
        each = [self._arguments(key) for key in keys]
        ended = await self._lane.work(Order(work="invoke", each=each, ahead=ahead))
        answers: Sequence[Mapping[str, Any]] = ended.result
        return answers

    def _arguments(self, key: str = "") -> dict[str, str]:
        key = key or str(uuid4())
        return {**self._user.arguments, "flow": FLOW, "subject": key, "key": key}


@pytest.fixture
async def runs(
    stack: StackInfo, control: ControlClient, identity_endpoint: None
) -> AsyncIterator[Runs]:
    users = Users(stack, control)
    try:
        user = await users.connect(await users.new(str(uuid4())))
        user.scene.put(FakeFlow(name=FLOW, inputs=(variable("subject"),)))
        async with workers(stack) as lane:
            yield Runs(user, lane)
    finally:
        await users.close()
        await asyncio.sleep(0)  # the connections close in the next turn of the loop


async def test_P11_a_process_killed_anywhere_leaves_outcome_unknown_and_never_a_second_run(
    runs: Runs,
) -> None:
    killed = await runs.killed_everywhere()

    print(  # noqa: T201 - the figures, for a person
        "", *(f"{one.where}: {one.again} / ran {one.ran}" for one in killed), sep="\n"
    )
    assert {one.where: one.ran for one in killed if one.ran > 1} == {}
    for one in killed:
        assert one.later["refused"] == "duplicate_run", one.where
        assert one.later["run_status"] in ("succeeded", "outcome_unknown"), one.where
        if "refused" in one.again:
            assert one.again["refused"] == "duplicate_run", one.where
            assert one.again["run_id"] == one.later["run_id"], one.where
        else:
            assert (one.ran, one.later["run_status"]) == (1, "succeeded"), one.where
    by_place = {one.where: one for one in killed}
    sent, unsent = by_place[f"after {CALL}"], by_place[f"before {CALL}"]
    assert (sent.ran, unsent.ran) == (1, 0)
    for one in (sent, unsent):
        assert one.again["run_status"] == "started"
        assert one.later["run_status"] == "outcome_unknown"
    assert any("refused" not in one.again for one in killed), "none was killed before its row"
