"""O-12: many processes want to refresh one grant at once. O-19: who holds the lease is killed.

The same harness as `make race`, with fewer rounds: real processes, real adapters, Azurite, and the
simulators of Salesforce and Key Vault over TLS.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from bench.race.in_memory import race_in_memory
from bench.race.messages import SUCCEEDED, Call, Prepare, Ran
from bench.race.processes import processes
from bench.race.rounds import Field, Round, race, race_of
from bench.race.scene import Counted, Scene, Stored
from local.stack_info import StackInfo
from shared.errors import NotConnectedError, SalesforceUnavailableError
from shared.model import MOST_SKEW, Access, Connection, Health
from shared.usecases.refresh_grant import LEASE
from tests.fakes import World

ROUNDS: Final = 20
PROCESSES: Final = 8
CALLERS: Final = 8
LAPSED: Final = (LEASE + MOST_SKEW).total_seconds() + 1
DEATHS: Final = 1_000
OTHERS: Final = 4


@pytest.mark.stack
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("identity_endpoint")
async def test_O12_64_callers_in_8_processes_redeem_once_a_round_and_all_are_served(
    clean_stack: StackInfo,
) -> None:
    async with Scene(clean_stack) as scene, processes(clean_stack, PROCESSES) as racing:
        users = await asyncio.to_thread(scene.connected, 2)
        field = Field(users=users, processes=PROCESSES, callers=CALLERS)
        rounds = [ran async for ran in race(scene, racing, field, range(ROUNDS))]

    assert [ran.line() for ran in rounds if ran.wrong] == []
    assert sum(len(ran.calls) for ran in rounds) == ROUNDS * PROCESSES * CALLERS
    assert all(ran.waits for ran in rounds), "they were refused at the same time"


async def test_O12_a_hundred_callers_of_ten_instances_redeem_once_a_round_in_memory() -> None:
    tally = await race_in_memory(10)

    assert tally.wrong == []
    assert (tally.redemptions, tally.outcomes) == (10, {SUCCEEDED: 1_000})


@pytest.mark.stack
@pytest.mark.usefixtures("identity_endpoint")
async def test_O19_when_the_holder_is_killed_the_others_go_on_once_its_lease_lapses(
    stack: StackInfo,
) -> None:
    async with Scene(stack) as scene, processes(stack, PROCESSES) as racing:
        (who,) = await asyncio.to_thread(scene.connected, 1)
        scene.expire_access_of(who)
        before = await scene.stored(who)
        counted = scene.counted()
        assert await racing.race(race_of(who, CALLERS, killed=True), only=0) == []
        left = await scene.stored(who)
        await racing.prepare(Prepare(caches="kept", ahead=LAPSED))
        order = race_of(who, CALLERS)
        ran = await racing.race(order)
        after = await scene.stored(who)
        in_the_end = scene.counted()

    assert left.row.lease_holder is not None
    assert left == replace(before, row=left.row)
    rest = Round(
        number=0,
        caches="kept",
        slow=False,
        callers=(PROCESSES - 1) * CALLERS,
        start=order.start,
        ran=ran,
        counted=(counted, in_the_end),
        stored=(left, after),
        living=in_the_end.living.get(who.at_salesforce),
    )
    assert rest.wrong == []


# --- a thousand deaths in memory -----------------------------------------------------------------


async def frozen_for_ever() -> None:
    """What a killed process does from here on: nothing, not even cleaning up."""
    await asyncio.Event().wait()


class Holder:
    """An instance that refreshes, and stops for ever at one of its steps."""

    def __init__(self, world: World, row: Connection) -> None:
        self._world, self._row = world, row
        self._has_died = asyncio.Event()

    async def dies_before(self, step: str) -> None:
        connections, login = self._world.connections.faults, self._world.login.faults
        match step:
            case "the lease":
                connections.meanwhile("replace", self._die)
            case "the redemption":
                login.meanwhile("refresh", self._die)
            case "the commit":
                login.meanwhile("refresh", self._to_die_at_the_next_write)
        self._task = asyncio.create_task(refreshed(self._world, self._row))
        await asyncio.wait_for(self._has_died.wait(), 20)

    async def _die(self) -> None:
        self._has_died.set()
        await frozen_for_ever()

    async def _to_die_at_the_next_write(self) -> None:
        self._world.connections.faults.meanwhile("replace", self._die)

    async def bury(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


STEPS: Final = ("the lease", "the redemption", "the commit")


async def refreshed(instance: World, row: Connection) -> Access:
    return await instance.refresh_grant(
        row.tenant, row.user, row.org, stale_generation=row.generation
    )


async def outcomes(others: Sequence[World], row: Connection) -> Counter[str]:
    """All of them want access of another generation than this row's."""
    async with asyncio.timeout(20):  # nobody waits for ever
        answers = await asyncio.gather(
            *(refreshed(other, row) for other in others), return_exceptions=True
        )
    return Counter(told(answer) for answer in answers)


def told(answer: Access | BaseException) -> str:
    match answer:
        case Access():
            return "access"
        case NotConnectedError():
            return str(answer.health)
        case SalesforceUnavailableError():
            return "unavailable"
        case _:
            raise answer


@pytest.mark.timeout(300)
async def test_O19_in_a_thousand_deaths_the_others_go_on_and_nobody_waits_for_ever() -> None:
    """Whoever asks too early to see the lease lapse is told to come again. A grant ends only where
    the holder died between Salesforce's answer and the write: that token is lost with it."""
    world, dice = World(), random.Random(19)  # noqa: S311 - a seed makes the same deaths each time
    caller = await world.signed_in("alice")
    await world.connect(caller)
    dying, *others = [world.another_instance() for _ in range(1 + OTHERS)]
    seen: Counter[tuple[str, str]] = Counter()
    for number in range(DEATHS):
        step = STEPS[number % len(STEPS)]
        (row,) = world.connections.rows.values()
        before = (world.login.redemptions, world.login.replays)
        holder = Holder(dying, row)
        await holder.dies_before(step)
        came_after = dice.uniform(0, 3 * LAPSED)
        world.clock.move(seconds=came_after)

        at_first = await outcomes(others, row)
        world.clock.move(seconds=LAPSED)
        in_the_end = await outcomes(others, row)

        is_lost = step == "the commit"
        good = Health.ROTATION_LOST.value if is_lost else "access"
        assert in_the_end == {good: OTHERS}, (number, step)
        assert set(at_first) <= {good, "unavailable"}, (number, step, at_first)
        if step == "the lease" or came_after > LAPSED:
            assert at_first == {good: OTHERS}, (number, step, came_after)
        if step != "the lease" and came_after < LAPSED - 30:
            assert at_first == {"unavailable": OTHERS}, (number, step, came_after)
        after = (world.login.redemptions, world.login.replays)
        assert after == (before[0] + 1, before[1] + is_lost), (number, step)
        seen[step, "unavailable" if "unavailable" in at_first else good] += 1
        await holder.bury()
        if is_lost:
            await world.connect(caller)

    assert seen.total() == DEATHS
    assert all(seen[step, "unavailable"] > 50 for step in STEPS[1:]), "some came too early"


# --- the referee: a rule that is broken is told ---------------------------------------------------


async def right_round() -> Round:
    world = World()
    await world.connect(await world.signed_in("alice"))
    (row,) = world.connections.rows.values()
    winner = Call(outcome=SUCCEEDED, waited=0.2, redeemed=True)
    loser = replace(winner, redeemed=False)
    ran = Ran(calls=[winner, loser], redemptions=1, store_calls=9, started=1.0, ended=1.5)
    moved = replace(row, generation=row.generation + 1)
    return Round(
        number=0,
        caches="kept",
        slow=False,
        callers=2,
        start=1.0,
        ran=[ran],
        counted=(Counted(redemptions=3), Counted(redemptions=4)),
        stored=(Stored(row=row, digest="old"), Stored(row=moved, digest="new")),
        living="new",
    )


async def test_a_round_as_promised_is_not_wrong() -> None:
    assert (await right_round()).wrong == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"redemptions": 5}, "2 redemptions"),
        ({"redemptions": 3}, "0 redemptions"),
        ({"replays": 1}, "1 replays"),
    ],
)
async def test_a_round_in_which_salesforce_counted_something_else_is_wrong(
    changes: dict[str, Any], told: str
) -> None:
    found = await right_round()
    before, after = found.counted

    assert replace(found, counted=(before, replace(after, **changes))).wrong == [told]


@pytest.mark.parametrize("living", ["old", None])
async def test_a_round_that_leaves_a_token_that_serves_no_more_is_wrong(living: str | None) -> None:
    found = await right_round()

    assert replace(found, living=living).wrong == ["what is stored is not the living token"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"generation": 3}, "2 generations"),
        ({"health": Health.REVOKED}, "health revoked"),
        ({"lease_holder": "somebody"}, "somebody still holds the lease"),
    ],
)
async def test_a_round_that_leaves_another_row_is_wrong(changes: dict[str, Any], told: str) -> None:
    found = await right_round()
    before, after = found.stored
    changed = replace(after, row=replace(after.row, **changes))

    assert replace(found, stored=(before, changed)).wrong == [told]


async def test_a_round_in_which_a_caller_failed_or_is_missing_is_wrong() -> None:
    found = await right_round()
    winner = found.calls[0]
    failed = replace(winner, outcome="salesforce_unavailable")

    with_failure = replace(found, ran=[replace(found.ran[0], calls=[winner, failed])])
    assert with_failure.wrong == ["outcomes {'succeeded': 1, 'salesforce_unavailable': 1}"]
    assert replace(found, callers=3).wrong == ["outcomes {'succeeded': 2}"]


async def test_a_round_in_which_a_token_was_sent_twice_is_wrong() -> None:
    found = await right_round()

    twice = replace(found, ran=[replace(found.ran[0], redemptions=2)])
    assert twice.wrong == ["2 refresh tokens sent"]
