"""Whether dependencies can be reached: asked at once, kept for a while, told to administrators."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from shared.errors import (
    IdentityProviderFailedError,
    KeyVaultFailedError,
    NotAdminError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Caller
from shared.usecases.check_readiness import DEADLINE_SECONDS, CheckReadiness
from tests.fakes import NOON, World
from tests.fakes.world import DEPENDENCIES

ONCE = dict.fromkeys(DEPENDENCIES, 1)
TWICE = dict.fromkeys(DEPENDENCIES, 2)


@pytest.fixture
async def carol(world: World) -> Caller:
    """An administrator."""
    return await world.signed_in("carol")


@pytest.fixture
def check(world: World) -> CheckReadiness:
    return of_one_instance(world)


def of_one_instance(world: World, *, deadline: float = DEADLINE_SECONDS) -> CheckReadiness:
    return CheckReadiness(
        probes=world.probes,
        clock=world.clock,
        deadline=deadline,
        monotonic_clock=world.clock.monotonic,
    )


async def since(check: CheckReadiness, caller: Caller) -> dict[str, float]:
    """Of those that can be reached, the seconds after noon since when; of the others negative."""
    found = {}
    for one in await check(caller):
        seconds = (one.since - NOON).total_seconds()
        found[one.name] = seconds if one.is_reachable else -seconds
    return found


async def unreachable(check: CheckReadiness, caller: Caller) -> set[str]:
    return {one.name for one in await check(caller) if not one.is_reachable}


async def test_an_administrator_sees_each_dependency_in_its_order(
    check: CheckReadiness, carol: Caller
) -> None:
    found = await check(carol)

    assert tuple(one.name for one in found) == DEPENDENCIES
    assert {(one.is_reachable, one.since) for one in found} == {(True, NOON)}


@pytest.mark.parametrize("name", ["alice", "mallory", "dave"])
async def test_n04_who_is_no_administrator_sees_nothing_and_nobody_is_asked(
    world: World, check: CheckReadiness, name: str
) -> None:
    with pytest.raises(NotAdminError):
        await check(await world.signed_in(name))

    assert world.dependencies.asked == {}


async def test_n04_what_an_administrator_was_told_is_told_to_nobody_else(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    await check(carol)

    with pytest.raises(NotAdminError):
        await check(await world.signed_in("alice"))


@pytest.mark.parametrize("name", DEPENDENCIES)
@pytest.mark.parametrize(
    "failure",
    [
        StorageFailedError,
        KeyVaultFailedError,
        IdentityProviderFailedError,
        SalesforceUnavailableError,
        TimeoutError,
    ],
)
async def test_one_that_is_down_is_a_finding_and_no_failure(
    world: World,
    check: CheckReadiness,
    carol: Caller,
    name: str,
    failure: Callable[[], BaseException],
) -> None:
    world.dependencies.faults.plan(name, failure)

    assert await unreachable(check, carol) == {name}


async def test_all_of_them_may_be_down(world: World, check: CheckReadiness, carol: Caller) -> None:
    for name in DEPENDENCIES:
        world.dependencies.faults.plan(name, StorageFailedError)

    assert await unreachable(check, carol) == set(DEPENDENCIES)


async def test_since_stays_while_a_state_stays_and_moves_with_it_alone(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    steady = dict.fromkeys(set(DEPENDENCIES) - {"key_vault"}, 11)
    seen = []
    for is_down in (False, False, True, True, False):
        world.clock.move(seconds=11)
        if is_down:
            world.dependencies.faults.plan("key_vault", KeyVaultFailedError)
        seen.append(await since(check, carol))

    assert [one.pop("key_vault") for one in seen] == [11, 11, -33, -33, 55]
    assert seen == [steady] * 5


async def test_one_that_was_never_reached_is_so_since_it_was_first_looked_at(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    world.dependencies.faults.plan("backups", StorageFailedError, times=2)
    world.clock.move(seconds=3)
    first = await since(check, carol)
    world.clock.move(seconds=60)

    assert (await since(check, carol))["backups"] == first["backups"] == -3


async def test_each_instance_tells_what_it_saw_itself(world: World, carol: Caller) -> None:
    old = of_one_instance(world)
    await old(carol)
    world.clock.move(hours=1)
    young = of_one_instance(world)

    assert set((await since(old, carol)).values()) == {0}
    assert set((await since(young, carol)).values()) == {3_600}


# --- how often they are asked --------------------------------------------------------------------


async def test_what_was_found_is_kept_for_ten_seconds(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    assert await unreachable(check, carol) == set()
    world.dependencies.faults.plan("salesforce", SalesforceUnavailableError)

    world.clock.move(seconds=9.9)
    assert await unreachable(check, carol) == set()
    assert world.dependencies.asked == ONCE
    world.clock.move(seconds=0.1)
    assert await unreachable(check, carol) == {"salesforce"}
    assert world.dependencies.asked == TWICE


async def test_that_one_is_down_is_kept_as_long(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    """Or whoever is down would be asked without end, just then."""
    world.dependencies.faults.plan("microsoft", IdentityProviderFailedError)

    for _ in range(20):
        assert await unreachable(check, carol) == {"microsoft"}
    assert world.dependencies.asked == ONCE


async def test_fifty_administrators_at_once_are_one_call_to_each(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    grace = await world.signed_in("grace")

    answers = await asyncio.gather(*(check(caller) for caller in [carol, grace] * 25))

    assert world.dependencies.asked == ONCE
    assert len(answers) == 50
    assert all(one == answers[0] for one in answers)


async def test_who_gives_up_takes_the_answer_from_nobody(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    impatient, patient = (asyncio.create_task(check(carol)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()

    assert len(await patient) == len(DEPENDENCIES)
    assert world.dependencies.asked == ONCE
    assert impatient.cancelled()


# --- those that do not answer --------------------------------------------------------------------


async def test_one_that_hangs_is_unreachable_after_five_seconds_and_holds_up_no_other(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    """The first of them, so that the others would have to wait for it."""
    world.dependencies.silent.add(DEPENDENCIES[0])
    began = monotonic()
    asking = asyncio.create_task(unreachable(check, carol))
    await asyncio.sleep(0.5)
    assert world.dependencies.answered == dict.fromkeys(DEPENDENCIES[1:], 1)
    assert not asking.done()

    assert await asking == {DEPENDENCIES[0]}
    assert 4.9 <= monotonic() - began < 6


async def test_all_that_hang_hang_at_the_same_time(world: World, carol: Caller) -> None:
    check = of_one_instance(world, deadline=0.3)
    world.dependencies.silent.update(DEPENDENCIES)
    began = monotonic()

    assert await unreachable(check, carol) == set(DEPENDENCIES)
    assert monotonic() - began < 0.6


async def test_one_that_hung_and_answers_again_is_reachable_since_then(
    world: World, carol: Caller
) -> None:
    check = of_one_instance(world, deadline=0.05)
    world.dependencies.silent.add("google")
    world.clock.move(seconds=1)
    hanging = await since(check, carol)
    world.dependencies.silent.clear()
    world.clock.move(minutes=1)

    assert hanging["google"] == -1
    assert (await since(check, carol))["google"] == 61


async def test_a_bug_in_a_probe_is_not_told_as_an_outage_and_not_kept(
    world: World, check: CheckReadiness, carol: Caller
) -> None:
    world.dependencies.faults.plan("storage", ZeroDivisionError)

    with pytest.raises(ZeroDivisionError):
        await check(carol)

    assert await unreachable(check, carol) == set()
