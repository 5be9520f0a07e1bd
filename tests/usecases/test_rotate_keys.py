"""Keys rotate, step by step, and only when a step may be taken (C-06)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from shared.crypto import envelope
from shared.errors import (
    DeletionInProgressError,
    KeyVaultFailedError,
    NotFoundError,
    SettingsChangedError,
    StorageFailedError,
)
from shared.model import Caller, TenantId, TenantSettings, TenantStatus
from shared.model.backups import journal_name
from shared.usecases.change_settings import KEY_LEASE
from shared.usecases.rotate_keys import DATA_KEY_LIFETIME, KEPT_FOR_BACKUPS, SETTLING
from tests.fakes import CONTOSO_ORG, NOON, World
from tests.fakes.keys import OUR_KEK
from tests.usecases.conftest import Told
from tests.usecases.rotating import (
    floor,
    keys,
    opened,
    retired,
    rotate,
    rotate_hourly,
    sealed,
    tenant_with_values,
    versions,
)
from tests.usecases.settling import change

KEY = "https://contoso-keys.vault.azure.net/keys/flowrunner"
FIRST = int(NOON.timestamp())


@pytest.fixture
async def alice(world: World) -> Caller:
    return await tenant_with_values(world)


def keks(world: World, tenant: TenantId) -> set[str]:
    return {key.kek_id for (owner, _), key in world.tenant_keys.rows.items() if owner == tenant}


async def _nothing() -> None:
    """As most calls do meanwhile."""


def move(world: World, period: timedelta) -> None:
    world.clock.move(seconds=period.total_seconds())


# --- the wrapping key ----------------------------------------------------------------------------


async def test_c06_data_keys_are_wrapped_by_the_newest_version_of_our_key(
    world: World, alice: Caller
) -> None:
    before, (old,) = await opened(world, alice.tenant), keks(world, alice.tenant)
    world.key_wrapper.rotate()

    await rotate(world)

    assert keks(world, alice.tenant) == {await world.key_wrapper.newest()}
    world.key_wrapper.disable(old)
    assert await opened(world, alice.tenant) == before
    assert keys(world, alice.tenant) == [FIRST]


async def test_c06_all_data_keys_are_retired_ones_as_well(world: World, alice: Caller) -> None:
    """So that an old version of the wrapping key can be disabled."""
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    await rotate_hourly(world, 1)
    assert retired(world, alice.tenant) == [FIRST]
    world.key_wrapper.rotate()

    await rotate(world)

    assert keks(world, alice.tenant) == {await world.key_wrapper.newest()}
    assert retired(world, alice.tenant) == [FIRST]


async def test_a_new_version_of_the_customers_key_is_followed(world: World, alice: Caller) -> None:
    world.key_wrapper.add_customer_key(KEY)
    carol = await world.signed_in("carol")
    await change(world, carol, customer_key=KEY)
    before, (old,) = await opened(world, alice.tenant), keks(world, alice.tenant)
    world.key_wrapper.rotate(KEY)

    await rotate(world)

    assert keks(world, alice.tenant) == {await world.key_wrapper.newest(by=KEY)} != {old}
    world.key_wrapper.disable(old)
    assert await opened(world, alice.tenant) == before


async def test_a_version_that_the_customer_has_named_is_kept(world: World, alice: Caller) -> None:
    world.key_wrapper.add_customer_key(KEY)
    carol = await world.signed_in("carol")
    pinned = await world.key_wrapper.newest(by=KEY)
    await change(world, carol, customer_key=pinned)
    world.key_wrapper.rotate(KEY)

    await rotate(world)

    assert keks(world, alice.tenant) == {pinned}


async def test_while_nothing_is_due_no_lease_is_taken_and_nothing_written(
    world: World, alice: Caller
) -> None:
    before = dict(world.tenant_keys.rows)
    world.leases.faults.plan("take", StorageFailedError)

    await rotate(world)

    assert world.tenant_keys.rows == before
    assert world.leases.faults.left("take") == 1


# --- the data key --------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "number"), [(-1, 1), (0, 2)], ids=["t-1s", "t"])
async def test_a_data_key_is_followed_by_another_after_90_days(
    world: World, alice: Caller, seconds: int, number: int
) -> None:
    world.clock.move(days=90, seconds=seconds)

    await rotate(world)

    assert len(keys(world, alice.tenant)) == number


async def test_c06_all_that_is_sealed_is_sealed_by_the_new_key_and_says_the_same(
    world: World, alice: Caller
) -> None:
    before = await opened(world, alice.tenant)
    tables = {(value.table, value.column) for value in await sealed(world, alice.tenant)}
    assert len(tables) == 6
    move(world, DATA_KEY_LIFETIME)

    await rotate(world)

    newest = int(world.clock().timestamp())
    assert keys(world, alice.tenant) == [FIRST, newest]
    assert await versions(world, alice.tenant) == {newest}
    assert await opened(world, alice.tenant) == before


async def test_nothing_is_retired_in_the_run_that_has_found_something(
    world: World, alice: Caller, told: Told
) -> None:
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    newest = keys(world, alice.tenant)[-1]
    assert (retired(world, alice.tenant), floor(world, alice.tenant)) == ([], FIRST)

    await rotate_hourly(world, 1)

    assert (retired(world, alice.tenant), floor(world, alice.tenant)) == ([FIRST], newest)
    assert world.tenant_keys.rows[alice.tenant, FIRST].retired_at == world.clock()
    assert [line["count"] for line in told("values_resealed")] == [7, 0]
    assert len(told("data_key_retired")) == 1


@pytest.mark.parametrize(("seconds", "is_retired"), [(-1, False), (0, True)], ids=["t-1s", "t"])
async def test_nothing_is_retired_until_every_instance_seals_by_the_new_key(
    world: World, alice: Caller, seconds: int, is_retired: bool
) -> None:
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    world.clock.move(seconds=SETTLING.total_seconds() + seconds)

    await rotate(world)

    assert bool(retired(world, alice.tenant)) is is_retired


async def test_what_an_instance_still_seals_by_the_old_key_is_found_by_a_later_run(
    world: World, alice: Caller
) -> None:
    behind = world.another_instance()
    move(world, DATA_KEY_LIFETIME)
    await behind.services.begin_connection(alice, None, None)  # it knows one key, for 5 seconds
    await rotate(world)
    await behind.services.begin_connection(alice, None, None)
    assert await versions(world, alice.tenant) == set(keys(world, alice.tenant))

    await rotate_hourly(world, 1)
    assert retired(world, alice.tenant) == []
    await rotate_hourly(world, 1)

    assert retired(world, alice.tenant) == [FIRST]
    assert len(await versions(world, alice.tenant)) == 1


async def test_a_row_that_somebody_writes_meanwhile_is_left_to_the_next_run(
    world: World, alice: Caller
) -> None:
    ((key, row),) = [one for one in world.connections.rows.items() if one[0][0] == alice.tenant]
    grant = await world.grants.open(row.place, row.sealed_grant)
    move(world, DATA_KEY_LIFETIME)
    old = await world.grants.seal(row.place, grant)

    async def refreshed() -> None:
        await world.connections.replace(
            replace(world.connections.rows[key], generation=2, sealed_grant=old)
        )

    for _ in range(4):  # the directory, the pseudonym key, the Flow's name, the identity
        world.sealed_values.faults.meanwhile("replace", _nothing)
    world.sealed_values.faults.meanwhile("replace", refreshed)
    await rotate(world)

    assert world.connections.rows[key].generation == 2
    assert world.connections.rows[key].sealed_grant == old
    await rotate_hourly(world, 1)
    assert retired(world, alice.tenant) == []
    assert envelope.key_version_of(world.connections.rows[key].sealed_grant) > FIRST
    await rotate_hourly(world, 1)
    assert retired(world, alice.tenant) == [FIRST]


async def test_what_there_is_no_time_for_waits_for_the_next_pass(
    world: World, alice: Caller, told: Told
) -> None:
    seconds = count()
    newest = await world.services.rotate_keys.add_key(alice.tenant)
    reseal = replace(world.services.rotate_keys.reseal, monotonic=lambda: float(next(seconds)))

    first = await reseal(alice.tenant, newest, within=timedelta(seconds=4))
    second = await reseal(alice.tenant, newest, within=timedelta(seconds=40))
    third = await reseal(alice.tenant, newest, within=timedelta(seconds=40))

    assert (first.resealed, first.is_whole, first.is_clean) == (3, False, False)
    assert (second.resealed, second.is_whole, second.is_clean) == (4, True, False)
    assert (third.resealed, third.is_clean) == (0, True)
    assert [line["outcome"] for line in told("values_resealed")] == ["partly", "whole", "whole"]


async def test_a_pass_that_found_nothing_and_was_cut_short_is_not_clean(
    world: World, alice: Caller
) -> None:
    seconds = count()
    newest = await world.services.rotate_keys.add_key(alice.tenant)
    reseal = world.services.rotate_keys.reseal
    await reseal(alice.tenant, newest, within=timedelta(seconds=40))
    hurried = replace(reseal, monotonic=lambda: float(next(seconds)))

    done = await hurried(alice.tenant, newest, within=timedelta(seconds=2))

    assert (done.resealed, done.lost, done.is_clean) == (0, 0, False)


async def test_a_pass_that_lost_a_row_to_somebody_else_is_not_clean(
    world: World, alice: Caller
) -> None:
    """What they wrote may be sealed by the older key."""
    ((key, row),) = [one for one in world.connections.rows.items() if one[0][0] == alice.tenant]
    old = row.sealed_grant
    newest = await world.services.rotate_keys.add_key(alice.tenant)
    reseal = world.services.rotate_keys.reseal
    await reseal(alice.tenant, newest, within=timedelta(seconds=40))
    world.connections.rows[key] = replace(world.connections.rows[key], sealed_grant=old)

    async def refreshed() -> None:
        await world.connections.replace(world.connections.rows[key])

    world.sealed_values.faults.meanwhile("replace", refreshed)

    done = await reseal(alice.tenant, newest, within=timedelta(seconds=40))

    assert (done.resealed, done.lost, done.is_whole, done.is_clean) == (0, 1, True, False)


async def test_what_does_not_open_is_told_and_holds_nothing_up(
    world: World, alice: Caller, told: Told
) -> None:
    ((key, row),) = [one for one in world.connections.rows.items() if one[0][0] == alice.tenant]
    broken = row.sealed_grant[:-1] + bytes([row.sealed_grant[-1] ^ 1])
    world.connections.rows[key] = replace(row, sealed_grant=broken)
    move(world, DATA_KEY_LIFETIME)

    await rotate(world)
    await rotate_hourly(world, 1)

    assert [(line["count"], line["level"]) for line in told("seal_broken")] == [(1, "ERROR")] * 2
    assert world.connections.rows[key].sealed_grant == broken
    assert retired(world, alice.tenant) == [FIRST]


async def test_while_a_grant_lies_in_the_journal_no_key_is_retired(
    world: World, alice: Caller
) -> None:
    """It comes back into the tables as it was sealed."""
    name = journal_name(alice.tenant, alice.user, CONTOSO_ORG, "a" * 64, 2)
    world.backups.files[name] = b"a grant"
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    await rotate_hourly(world, 2)
    assert retired(world, alice.tenant) == []

    del world.backups.files[name]
    await rotate_hourly(world, 1)

    assert retired(world, alice.tenant) == [FIRST]


# --- the end of a data key -----------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "is_kept"), [(0, True), (1, False)], ids=["t", "t+1s"])
async def test_a_retired_key_is_destroyed_when_no_backup_needs_it(
    world: World, alice: Caller, told: Told, seconds: int, is_kept: bool
) -> None:
    before = await opened(world, alice.tenant)
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    await rotate_hourly(world, 1)
    assert timedelta(days=31) == KEPT_FOR_BACKUPS
    world.clock.move(days=31, seconds=seconds)

    await rotate(world)

    assert (FIRST in keys(world, alice.tenant)) is is_kept
    assert len(told("data_key_destroyed")) == (not is_kept)
    assert told("key_destroyed") == []
    assert await opened(world, alice.tenant) == before


async def test_a_key_that_the_floor_still_lets_open_is_not_destroyed(
    world: World, alice: Caller
) -> None:
    """Somebody has put an old row of the tenant back, or a date where there was none."""
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    await world.tenant_keys.retire(alice.tenant, FIRST, at=NOON)

    await rotate(world)

    assert FIRST in keys(world, alice.tenant)


async def test_of_four_rotations_the_last_keys_are_left(world: World, alice: Caller) -> None:
    before = await opened(world, alice.tenant)
    for _ in range(4):
        move(world, DATA_KEY_LIFETIME)
        await rotate(world)
        await rotate_hourly(world, 1)

    left = keys(world, alice.tenant)
    assert len(left) == 2
    assert retired(world, alice.tenant) == left[:1]
    assert floor(world, alice.tenant) == left[1]
    assert await opened(world, alice.tenant) == before


# --- whose turn it is, and whose not -------------------------------------------------------------


async def test_a_tenant_that_is_being_deleted_is_left_alone(world: World, alice: Caller) -> None:
    world.key_wrapper.rotate()
    move(world, DATA_KEY_LIFETIME)
    world.tenants.change(alice.tenant, status=TenantStatus.DELETING)
    before = dict(world.tenant_keys.rows)

    await rotate(world)

    assert world.tenant_keys.rows == before


async def test_a_tenant_that_is_suspended_is_rotated(world: World, alice: Caller) -> None:
    world.tenants.change(alice.tenant, status=TenantStatus.DISABLED)
    move(world, DATA_KEY_LIFETIME)

    await rotate(world)

    assert len(keys(world, alice.tenant)) == 2


async def test_a_key_that_came_too_late_for_the_deletion_is_taken_back(
    world: World, alice: Caller
) -> None:
    move(world, DATA_KEY_LIFETIME)

    async def deleted() -> None:
        del world.tenants.rows[alice.tenant]

    world.tenant_keys.faults.meanwhile("create", deleted)
    await rotate(world)

    assert keys(world, alice.tenant) == [FIRST]


async def test_one_tenants_failing_key_leaves_the_others_to_rotate(
    world: World, alice: Caller, told: Told
) -> None:
    world.key_wrapper.add_customer_key(KEY)
    carol = await world.signed_in("carol")
    await change(world, carol, customer_key=KEY)
    mallory = await tenant_with_values(world, "mallory")
    for kek_id in keks(world, alice.tenant):
        world.key_wrapper.disable(kek_id)
    world.key_wrapper.rotate()
    move(world, DATA_KEY_LIFETIME)

    await rotate(world)

    assert len(keys(world, alice.tenant)) == 1
    assert len(keys(world, mallory.tenant)) == 2
    (line,) = told("dependency_failed")
    assert (line["tenant"], line["step"]) == (alice.tenant, "key_rotation")
    assert line["code"] == KeyVaultFailedError.code


async def test_a_tenant_whose_key_hangs_is_given_up_for_this_run(
    world: World, alice: Caller, told: Told
) -> None:
    mallory = await tenant_with_values(world, "mallory")
    move(world, DATA_KEY_LIFETIME)
    hangs = replace(world.services.rotate_keys, each=timedelta(seconds=0.2))
    world.key_wrapper.faults.meanwhile("wrap", asyncio.Event().wait)

    await hangs()

    done = sorted(len(keys(world, tenant)) for tenant in (alice.tenant, mallory.tenant))
    assert done == [1, 2]
    assert [line["code"] for line in told("dependency_failed")] == ["timeout"]
    assert world.leases.held == {}


async def test_by_a_clock_that_the_store_contradicts_nothing_is_done(
    world: World, alice: Caller, told: Told
) -> None:
    world.leases.store_time = world.clock() + timedelta(days=90, minutes=-6)
    move(world, DATA_KEY_LIFETIME)

    await rotate(world)

    assert keys(world, alice.tenant) == [FIRST]
    assert [line["step"] for line in told("clock_wrong")] == ["key_rotation"]


async def test_of_many_runs_at_once_one_makes_a_key(world: World, alice: Caller) -> None:
    move(world, DATA_KEY_LIFETIME)

    await asyncio.gather(*(rotate(world) for _ in range(8)))

    assert len(keys(world, alice.tenant)) == 2


async def test_while_an_administrator_changes_the_key_nothing_is_rotated(
    world: World, alice: Caller
) -> None:
    until = world.clock() + DATA_KEY_LIFETIME + timedelta(minutes=1)
    lease = await world.leases.take(alice.tenant, KEY_LEASE, holder="carol", until=until)
    assert lease is not None
    move(world, DATA_KEY_LIFETIME)

    await rotate(world)
    assert keys(world, alice.tenant) == [FIRST]

    await world.leases.release(lease)
    await rotate(world)
    assert len(keys(world, alice.tenant)) == 2


async def test_while_keys_rotate_an_administrator_who_changes_the_key_is_told_to_try_again(
    world: World, alice: Caller
) -> None:
    world.key_wrapper.add_customer_key(KEY)
    carol = await world.signed_in("carol")
    move(world, DATA_KEY_LIFETIME)
    refused: list[str] = []

    async def changed() -> None:
        try:
            await change(world.another_instance(), carol, customer_key=KEY)
        except SettingsChangedError as exc:
            refused.append(exc.code)

    world.tenant_keys.faults.meanwhile("create", changed)
    await rotate(world)

    assert refused == [SettingsChangedError.code]
    assert {kek.rpartition("/")[0] for kek in keks(world, alice.tenant)} == {OUR_KEK}
    await changed()
    assert {kek.rpartition("/")[0] for kek in keks(world, alice.tenant)} == {KEY}


async def test_c01_with_the_newest_key_taken_away_nothing_goes_back_to_an_old_one(
    world: World, alice: Caller, told: Told
) -> None:
    move(world, DATA_KEY_LIFETIME)
    await rotate(world)
    await world.services.rotate_keys.add_key(alice.tenant)
    await rotate_hourly(world, 2)
    newest = keys(world, alice.tenant)[-1]
    assert floor(world, alice.tenant) == newest
    for key in keys(world, alice.tenant)[:-1]:
        row = world.tenant_keys.rows[alice.tenant, key]
        world.tenant_keys.rows[alice.tenant, key] = replace(row, retired_at=None)
    await world.tenant_keys.destroy_version(alice.tenant, newest)
    before = await sealed(world, alice.tenant)

    await rotate(world)

    assert await sealed(world, alice.tenant) == before
    assert floor(world, alice.tenant) == newest
    assert [line["step"] for line in told("seal_broken")] == ["key_rotation"]


# --- for operators -------------------------------------------------------------------------------


async def test_an_operator_makes_a_new_data_key_at_any_time(world: World, alice: Caller) -> None:
    before = await opened(world, alice.tenant)
    world.clock.move(minutes=1)

    version = await world.services.rotate_keys.add_key(alice.tenant)

    assert keys(world, alice.tenant) == [FIRST, version]
    await rotate_hourly(world, 2)
    assert await versions(world, alice.tenant) == {version}
    assert retired(world, alice.tenant) == [FIRST]
    assert await opened(world, alice.tenant) == before


async def test_no_key_is_made_for_whom_there_is_not_or_not_any_more(
    world: World, alice: Caller
) -> None:
    add_key = world.services.rotate_keys.add_key
    with pytest.raises(NotFoundError):
        await add_key(TenantId.parse("ms-00000000-0000-4000-8000-000000000000"))
    world.tenants.change(alice.tenant, status=TenantStatus.DELETING)
    with pytest.raises(DeletionInProgressError):
        await add_key(alice.tenant)
    assert keys(world, alice.tenant) == [FIRST]


async def test_no_key_is_made_while_somebody_is_at_them(world: World, alice: Caller) -> None:
    until = world.clock() + timedelta(minutes=1)
    await world.leases.take(alice.tenant, KEY_LEASE, holder="carol", until=until)

    with pytest.raises(SettingsChangedError):
        await world.services.rotate_keys.add_key(alice.tenant)

    assert keys(world, alice.tenant) == [FIRST]


async def test_settings_without_a_customers_key_stay_as_they_are(
    world: World, alice: Caller
) -> None:
    world.key_wrapper.rotate()

    await rotate(world)

    assert world.tenants.rows[alice.tenant].settings == TenantSettings()
