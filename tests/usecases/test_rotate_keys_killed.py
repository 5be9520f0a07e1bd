"""A rotation that is killed, or fails, at any call goes on from there: the end is the same."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import pytest

from shared.errors import KeyVaultFailedError, StorageFailedError
from shared.model import Caller
from shared.usecases.rotate_keys import DATA_KEY_LIFETIME
from tests.fakes import World
from tests.usecases.rotating import (
    KillAt,
    floor,
    keys,
    killing,
    opened,
    retired,
    rotate,
    rotate_hourly,
    tenant_with_values,
    versions,
)

MOST_CALLS: Final = 200


async def due(world: World) -> Caller:
    """A data key that is old, wrapped by a version that is not the newest."""
    caller = await tenant_with_values(world)
    world.clock.move(seconds=DATA_KEY_LIFETIME.total_seconds())
    world.key_wrapper.rotate()
    return caller


async def resealed(world: World) -> Caller:
    """A new key has sealed everything anew; the old one can be retired."""
    caller = await due(world)
    await rotate(world)
    world.clock.move(hours=1)
    return caller


async def over(world: World) -> Caller:
    """The old key is retired, and can be destroyed."""
    caller = await resealed(world)
    await rotate(world)
    assert retired(world, caller.tenant)
    world.clock.move(days=32)
    return caller


STAGES: Final[dict[str, Callable[[World], Awaitable[Caller]]]] = {
    "wrap-and-reseal": due,
    "retire": resealed,
    "destroy": over,
}


async def check_the_end(world: World, caller: Caller) -> None:
    """What every way leads to: one key is left, which is the newest, and everything opens."""
    await rotate_hourly(world, 3)
    world.clock.move(seconds=timedelta(days=32).total_seconds())
    await rotate_hourly(world, 1)
    (left,) = keys(world, caller.tenant)
    assert retired(world, caller.tenant) == []
    assert floor(world, caller.tenant) == left
    assert await versions(world, caller.tenant) == {left}
    kek = await world.key_wrapper.newest()
    assert world.tenant_keys.rows[caller.tenant, left].kek_id == kek
    assert all(lease.until <= world.clock() for lease in world.leases.held.values())


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
async def test_c06_a_kill_at_any_call_leaves_what_the_next_run_goes_on_from(
    stage: str, carried_out: bool
) -> None:
    kills = 0
    for number in range(1, MOST_CALLS):
        world = World()
        caller = await STAGES[stage](world)
        before = await opened(world, caller.tenant)
        kill = KillAt(number, carried_out=carried_out)
        async with killing(world, kill):
            await rotate(world)
        if not kill.has_killed:
            break
        kills += 1

        assert await opened(world, caller.tenant) == before, f"killed at {kill.calls[-1]}"
        await check_the_end(world, caller)
        assert await opened(world, caller.tenant) == before, f"killed at {kill.calls[-1]}"
    print(f"{stage}: killed at each of {kills} calls")  # noqa: T201 - the figures of this test
    assert 10 < kills < MOST_CALLS - 1


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("fake", "method", "failure"),
    [
        ("tenants", "ids", StorageFailedError),
        ("tenants", "load", StorageFailedError),
        ("tenant_keys", "all", StorageFailedError),
        ("tenant_keys", "floor", StorageFailedError),
        ("tenant_keys", "create", StorageFailedError),
        ("tenant_keys", "rewrap", StorageFailedError),
        ("tenant_keys", "raise_floor", StorageFailedError),
        ("tenant_keys", "retire", StorageFailedError),
        ("tenant_keys", "destroy_version", StorageFailedError),
        ("leases", "take", StorageFailedError),
        ("leases", "release", StorageFailedError),
        ("backups", "names", StorageFailedError),
        ("sealed_values", "pages", StorageFailedError),
        ("sealed_values", "replace", StorageFailedError),
        ("key_wrapper", "newest", KeyVaultFailedError),
        ("key_wrapper", "wrap", KeyVaultFailedError),
        ("key_wrapper", "unwrap", KeyVaultFailedError),
    ],
)
async def test_c06_a_failure_of_any_call_is_made_up_for(
    stage: str,
    carried_out: bool,
    fake: str,
    method: str,
    failure: type[StorageFailedError | KeyVaultFailedError],
) -> None:
    world = World()
    caller = await STAGES[stage](world)
    before = await opened(world, caller.tenant)
    faults = getattr(world, fake).faults
    faults.plan(method, failure, carried_out=carried_out)

    try:
        await rotate(world)
    except StorageFailedError:
        assert method == "ids"  # without the list of tenants there is no run

    faults.clear()
    assert await opened(world, caller.tenant) == before
    world.clock.move(minutes=2)  # a lease that could not be given back lapses
    await check_the_end(world, caller)
    assert await opened(world, caller.tenant) == before
