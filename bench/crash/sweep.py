"""One piece of work, done once undisturbed and then killed at every step, each time for somebody
new. The next process comes later, as users and timers make it; and then everything is judged."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import batched
from typing import Final
from uuid import uuid4

from bench.crash.judgement import Judge, Outcome, Tried, is_refused
from bench.crash.users import Users
from bench.crash.works import Work
from local.stack_info import StackInfo
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.orders import Json, Order, Workers, workers
from tests.attacks.outgoing import MOMENTS, Kill, Moment
from tests.control_client import ControlClient

type Arguments = Mapping[str, str]

LANES: Final = 3
AT_ONCE: Final = 20
LATER: Final = timedelta(hours=1)
"""When the next process comes: every lease has lapsed then, and every one-time code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What came of one piece of work."""

    work: Work
    steps: Sequence[str]
    """Its requests, undisturbed."""
    outcomes: Sequence[Outcome]

    @property
    def killed(self) -> Sequence[Outcome]:
        return [one for one in self.outcomes if one.tried.kill is not None]

    @property
    def broken(self) -> list[str]:
        """Each rule that does not hold, and where."""
        return [f"{one.tried.where}: {rule}" for one in self.outcomes for rule in one.broken]


class Crash:
    """Sweeps on a running stack."""

    def __init__(self, users: Users, judge: Judge, lanes: Sequence[Workers]) -> None:
        self._users, self._judge, self._lanes = users, judge, lanes

    async def __call__(self, work: Work, moments: Sequence[Moment] = MOMENTS) -> Swept:
        tried = await self._resumed(work, await self._everything_killed(work, moments))
        steps = tried[0].ended.answered
        return Swept(work=work, steps=steps, outcomes=await self._judge(work, tried))

    async def _everything_killed(self, work: Work, moments: Sequence[Moment]) -> Sequence[Tried]:
        """The undisturbed one first."""
        directories = {moment: str(uuid4()) for moment in MOMENTS}

        async def once(of: Workers, kill: Kill | None) -> Tried:
            moment = "before" if kill is None else kill.moment
            directory = str(uuid4()) if work.for_a_whole_tenant else directories[moment]
            user, arguments = await work.begin(self._users, directory)
            if work.left_by is not None:
                name, at = work.left_by
                left = await of.work(Order(work=name, each=[arguments], kill=at))
                assert left.was_killed == (at is not None), f"{name} left nothing to do"
            ahead = work.ahead.total_seconds()
            order = Order(work=work.order, each=[arguments], kill=kill, ahead=ahead)
            return Tried(user=user, kill=kill, ended=await of.work(order))

        async def lane(of: Workers) -> None:
            tried.extend([await once(of, kill) for kill in kills])

        tried = [await once(self._lanes[0], None)]
        steps = range(1, len(tried[0].ended.answered) + 1)
        kills = iter([Kill(step=step, moment=moment) for step in steps for moment in moments])
        async with asyncio.TaskGroup() as running:
            for of in self._lanes:
                running.create_task(lane(of))
        return sorted(tried, key=lambda one: one.order)

    async def _resumed(self, work: Work, tried: Sequence[Tried]) -> Sequence[Tried]:
        """The users come again, with access tokens that have expired, and do what is left to do;
        then the timers run. At the end everybody calls once more, likewise.

        Whom a process left after an answer, the timers come to before the user does. It is the same
        for the world outside as before the request that would have followed: so each is resumed in
        both orders.
        """
        everybody = [one.user.arguments for one in tried]
        if work.resumed_by is not None:
            await self._told(work.resumed_by[0], everybody, work.resumed_by[1])
        self._expire(tried)
        later = work.ahead + LATER
        after = [one.user.arguments for one in tried if one.kill and one.kill.moment == "after"]
        await self._told("timers", by_tenant(after), later)
        found = await self._told("call", everybody, later)
        undone = [n for n, answer in enumerate(found) if is_refused(answer) == work.is_connected]
        if work.is_connected:
            users = self._users
            each = [await users.back_from_salesforce(tried[n].user, ahead=later) for n in undone]
            again = await self._told("callback", each, later)
        else:
            again = await self._told("disconnect", [everybody[n] for n in undone], later)
        await self._told("timers", by_tenant(everybody), later + LATER)
        self._expire(tried)
        at_last = await self._told("call", everybody, later + 3 * LATER)
        once_more = dict(zip(undone, again, strict=True))
        return [
            replace(one, found=found[n], again=once_more.get(n), at_last=at_last[n])
            for n, one in enumerate(tried)
        ]

    def _expire(self, tried: Sequence[Tried]) -> None:
        for one in tried:
            self._users.expire(one.user)

    async def _told(self, name: str, each: Sequence[Arguments], ahead: timedelta) -> Sequence[Json]:
        """What processes that nobody kills do for each of them."""
        answers: dict[int, Sequence[Json]] = {}
        waiting = enumerate(batched(each, AT_ONCE, strict=False))

        async def lane(of: Workers) -> None:
            for number, some in waiting:
                ended = await of.work(Order(work=name, each=some, ahead=ahead.total_seconds()))
                assert ended.code == 0, f"{name} ended by an error that nobody expected"
                answers[number] = ended.result or []

        async with asyncio.TaskGroup() as running:
            for of in self._lanes:
                running.create_task(lane(of))
        return [answer for number in sorted(answers) for answer in answers[number]]


def by_tenant(each: Sequence[Arguments]) -> Sequence[Arguments]:
    """One of each tenant: there is only one run of a timer at a time."""
    return list({of["tenant"]: of for of in each}.values())


@asynccontextmanager
async def crash_on(info: StackInfo, control: ControlClient) -> AsyncIterator[Crash]:
    """Sweeps on a running stack, whose managed identity the environment names."""
    users, rows = Users(info, control), AzuriteRows(info)
    async with AsyncExitStack() as running:
        running.callback(rows.close)
        running.push_async_callback(users.close)
        lanes = [await running.enter_async_context(workers(info)) for _ in range(LANES)]
        yield Crash(users, Judge(users.azure, control, rows), lanes)
