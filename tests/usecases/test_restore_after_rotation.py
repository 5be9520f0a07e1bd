"""A backup made before a rotation of keys comes back, for as long as there is one."""

from datetime import date, timedelta

import pytest

from shared.model import Caller, Place, Tenant
from shared.model.backups import BACKUP_DAYS, manifest_name
from shared.usecases.rotate_keys import DATA_KEY_LIFETIME
from tests.fakes import NOON, World
from tests.usecases.backing_up import loss
from tests.usecases.rotating import floor, keys, opened, retired, rotate, rotate_hourly, versions

FIRST = int(NOON.timestamp())
PLAIN = b"the name of a Flow"


@pytest.fixture
async def alice(world: World) -> Caller:
    return await world.signed_in("alice")


def flow_place(caller: Caller) -> Place:
    return Place(tenant=caller.tenant, table="tenants", row_key="flow|f-1", column="sealed_name")


async def back_up(world: World, caller: Caller) -> tuple[date, Tenant]:
    """A backup with one value, sealed by what seals now; the tenant's row as it is."""
    sealed = await world.another_instance().vault.seal(flow_place(caller), PLAIN)
    world.copies.tables = {
        "tenants": {caller.tenant: {"flow|f-1": {"RowKey": "flow|f-1", "sealed_name": sealed}}}
    }
    await world.another_instance().services.back_up_tenants()
    return world.clock().date(), world.tenants.rows[caller.tenant]


async def come_back(world: World, caller: Caller, day: date, row: Tenant) -> World:
    """Everything is lost, and that day's backup is put back, the tenant's row with it."""
    after = await loss(world)
    await after.services.restore_backup(caller.tenant, day, dry_run=False)
    after.tenants.rows[caller.tenant] = row
    return after


async def name_in(world: World, caller: Caller) -> bytes:
    sealed = world.copies.tables["tenants"][caller.tenant]["flow|f-1"]["sealed_name"]
    assert isinstance(sealed, bytes)
    return await world.another_instance().vault.open(flow_place(caller), sealed)


async def rotated(world: World) -> None:
    """A second data key, and the first is retired."""
    await rotate(world)
    await rotate_hourly(world, 1)


async def test_the_oldest_backup_from_before_a_rotation_comes_back(
    world: World, alice: Caller
) -> None:
    world.clock.move(seconds=(DATA_KEY_LIFETIME - timedelta(hours=2)).total_seconds())
    day, row = await back_up(world, alice)
    world.clock.move(hours=2)
    await rotated(world)
    assert retired(world, alice.tenant) == [FIRST]
    world.clock.move(days=BACKUP_DAYS)
    await rotate(world)
    await back_up(world, alice)  # also writes the key file anew, and removes what has expired
    assert manifest_name(alice.tenant, day) in world.backups.files

    after = await come_back(world, alice, day, row)

    assert await name_in(after, alice) == PLAIN
    assert keys(after, alice.tenant) == keys(world, alice.tenant)
    assert retired(after, alice.tenant) == []  # what is in the tables now may need them all


async def test_what_came_back_is_rotated_anew(world: World, alice: Caller) -> None:
    before = await opened(world, alice.tenant)
    world.clock.move(seconds=(DATA_KEY_LIFETIME - timedelta(hours=2)).total_seconds())
    day, row = await back_up(world, alice)
    world.clock.move(hours=2)
    await rotated(world)
    await back_up(world, alice)
    after = await come_back(world, alice, day, row)
    assert floor(after, alice.tenant) == FIRST

    await rotated(after)

    newest = keys(after, alice.tenant)[-1]
    assert (retired(after, alice.tenant), floor(after, alice.tenant)) == ([FIRST], newest)
    assert await versions(after, alice.tenant) == {newest}
    places = [place for place in before if place[0] == "tenants"]
    assert [(await opened(after, alice.tenant))[place] for place in places] == [
        before[place] for place in places
    ]


async def test_when_the_old_key_is_destroyed_no_backup_is_left_that_needs_it(
    world: World, alice: Caller
) -> None:
    world.clock.move(seconds=(DATA_KEY_LIFETIME - timedelta(hours=2)).total_seconds())
    day, _ = await back_up(world, alice)
    world.clock.move(hours=2)
    await rotated(world)
    while FIRST in keys(world, alice.tenant):
        world.clock.move(days=1)
        newest, row = await back_up(world, alice)
        is_there = manifest_name(alice.tenant, day) in world.backups.files
        await rotate(world)

    assert not is_there
    after = await come_back(world, alice, newest, row)
    assert await name_in(after, alice) == PLAIN
