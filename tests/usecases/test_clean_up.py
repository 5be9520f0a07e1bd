"""What has outlived its retention goes, exactly then, and nothing else (D-07, D-08)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import StorageFailedError
from shared.model import (
    Caller,
    DeletionScope,
    Health,
    PendingKind,
    SettingsChange,
    TenantSettings,
    TenantStatus,
)
from shared.model.backups import ledger_name
from tests.fakes import NOON, World
from tests.usecases.conftest import Told
from tests.usecases.deleting import asked_by
from tests.usecases.invoking import invocation, run

DAYS = 30


@pytest.fixture
async def alice(world: World) -> Caller:
    """She has run a Flow at noon, in a tenant that keeps runs for 30 days."""
    caller = await world.signed_in("alice")
    await world.connect(caller)
    await run(world, caller, invocation(key="a key"))
    settle(world, caller, days=DAYS)
    return caller


def settle(world: World, caller: Caller, *, days: int) -> None:
    world.tenants.change(caller.tenant, settings=TenantSettings(retention_days=days))


async def clean_up(world: World, *, is_late: bool = False) -> None:
    await world.another_instance().services.clean_up(is_late=is_late)


@pytest.mark.parametrize(
    ("seconds", "is_kept"), [(-1, True), (0, False), (1, False)], ids=["t-1s", "t", "t+1s"]
)
async def test_d07_a_run_goes_when_its_days_are_over(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    world.clock.move(days=DAYS, seconds=seconds)

    await clean_up(world)

    assert bool(world.runs.rows) is is_kept


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_d07_an_idempotency_row_goes_after_24_hours(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    world.clock.move(hours=24, seconds=seconds)

    await clean_up(world)

    assert bool(world.runs.keys) is is_kept
    assert world.runs.rows


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_d07_one_time_codes_go_after_ten_minutes(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    await world.services.begin_connection(alice, None, None)
    world.clock.move(minutes=10, seconds=seconds)

    await clean_up(world)

    assert bool(world.pending.rows) is is_kept


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_d07_a_grant_that_has_ended_goes_after_30_days(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=Health.REVOKED, ended_at=NOON)
    world.clock.move(days=30, seconds=seconds)

    await clean_up(world)

    assert bool(world.connections.rows) is is_kept


async def test_d07_a_grant_that_serves_stays_however_old(world: World, alice: Caller) -> None:
    world.clock.move(days=3_000)

    await clean_up(world)

    assert world.connections.rows


async def test_d07_settings_changes_go_with_the_runs_of_their_time(
    world: World, alice: Caller
) -> None:
    change = SettingsChange(id="c-1", changed_at=NOON, changed_by=alice.user, changed=("x",))
    world.tenants.changes[alice.tenant, change.id] = change

    world.clock.move(days=DAYS, seconds=-1)
    await clean_up(world)
    assert world.tenants.changes
    world.clock.move(seconds=1)
    await clean_up(world)
    assert not world.tenants.changes


async def test_d07_a_row_whose_time_cannot_be_read_is_kept_and_reported(
    world: World, alice: Caller, told: Told
) -> None:
    world.sweeper.unreadable.add(world.runs.only().id)
    world.clock.move(days=DAYS)

    await clean_up(world)

    assert world.runs.rows
    (report,) = told("row_unreadable")
    assert (report["tenant"], report["count"], report["level"]) == (alice.tenant, 1, "WARNING")


@pytest.mark.parametrize("hours", [-24, 24, 24 * 365], ids=["a-day-back", "a-day-ahead", "a-year"])
async def test_d07_a_clock_that_the_store_contradicts_deletes_nothing(
    world: World, alice: Caller, told: Told, hours: int
) -> None:
    world.clock.move(days=DAYS)
    world.leases.store_time = world.clock() - timedelta(hours=hours)

    await clean_up(world)

    assert world.runs.rows
    (alarm,) = told("clock_wrong")
    assert alarm["level"] == "ERROR"
    assert not world.leases.held  # the next occurrence may try again


async def test_d07_a_clock_that_is_a_little_off_is_no_wrong_clock(
    world: World, alice: Caller
) -> None:
    world.clock.move(days=DAYS)
    world.leases.store_time = world.clock() - timedelta(minutes=4)

    await clean_up(world)

    assert not world.runs.rows


async def test_each_tenant_has_its_own_retention(world: World, alice: Caller) -> None:
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    kept, _ = await run(world, mallory, invocation())
    settle(world, mallory, days=DAYS + 1)
    world.clock.move(days=DAYS)

    await clean_up(world)

    assert world.runs.only().id == kept.id


async def test_a_disabled_tenants_rows_expire_as_well(world: World, alice: Caller) -> None:
    world.tenants.change(alice.tenant, status=TenantStatus.DISABLED)
    world.clock.move(days=DAYS)

    await clean_up(world)

    assert not world.runs.rows


# --- parked grants -------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0, 47, 48, 1_000])
async def test_a_parked_grant_is_left_to_the_timer_that_revokes_it(
    world: World, alice: Caller, hours: int
) -> None:
    """Swept away, it would live on at Salesforce, and nobody would know of it."""
    await world.consented(alice)
    await world.services.begin_connection(alice, None, None)
    world.clock.move(minutes=10, hours=hours)

    await clean_up(world)

    assert [kind for _, kind, _ in world.pending.rows] == [PendingKind.PARKED]
    assert world.login.living(alice.user) == 2


# --- leases and timers (D-08) ---------------------------------------------------------------------


async def test_d08_of_two_instances_one_does_a_tenant(
    world: World, alice: Caller, told: Told
) -> None:
    world.clock.move(days=DAYS)

    await asyncio.gather(*(clean_up(world) for _ in range(8)))

    done = [line for line in told("retention_cleanup") if line["deleted"]]
    assert len(done) == 1
    assert not world.runs.rows


async def test_d08_a_dead_instances_lease_lapses(world: World, alice: Caller) -> None:
    world.clock.move(days=DAYS)
    until = world.clock() + timedelta(minutes=10)
    await world.leases.take(alice.tenant, "retention", holder="dead", until=until)

    await clean_up(world)
    assert world.runs.rows
    world.clock.move(minutes=10)
    await clean_up(world)
    assert not world.runs.rows


async def test_d08_a_missed_day_is_caught_up_and_told_as_late(
    world: World, alice: Caller, told: Told
) -> None:
    world.clock.move(days=DAYS + 1, minutes=32)

    await clean_up(world, is_late=True)

    assert not world.runs.rows
    (line,) = told("retention_cleanup")
    assert line["late"] is True


async def test_one_tenant_that_fails_holds_up_no_other(
    world: World, alice: Caller, told: Told
) -> None:
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    await run(world, mallory, invocation())
    settle(world, mallory, days=DAYS)
    world.clock.move(days=DAYS)
    world.sweeper.faults.plan("runs", StorageFailedError)

    await clean_up(world)
    assert len({tenant for tenant, _ in world.runs.rows}) == 1
    assert told("dependency_failed")

    world.clock.move(minutes=10)  # the lease of the one that failed
    await clean_up(world)
    assert not world.runs.rows


async def test_a_tenant_that_is_being_deleted_is_left_to_its_deletion(
    world: World, alice: Caller
) -> None:
    world.clock.move(days=DAYS)
    world.tenants.change(alice.tenant, status=TenantStatus.DELETING)

    await clean_up(world)

    assert world.runs.rows
    assert not world.leases.held


# --- receipts ------------------------------------------------------------------------------------


async def test_a_receipt_is_kept_for_ten_years(world: World) -> None:
    deleting = await asked_by(world, "alice")
    await deleting.confirm()
    await deleting.finish()

    world.clock.move(days=3_650)
    await clean_up(world)
    assert world.deletions.rows
    assert world.backups.files
    world.clock.move(days=4)
    await clean_up(world)
    assert not world.deletions.rows
    assert not world.backups.files


@pytest.mark.parametrize("days", [1, 4_000], ids=["a-day-ahead", "eleven-years-ahead"])
async def test_no_receipt_expires_by_a_clock_that_the_store_contradicts(
    world: World, days: int
) -> None:
    """It is the only proof that there was a deletion, and no later run brings it back."""
    deleting = await asked_by(world, "alice")
    await deleting.confirm()
    done = await deleting.finish()
    world.clock.move(days=3_654)
    world.leases.store_time = world.clock() - timedelta(days=days)

    await clean_up(world)

    assert deleting.now == done
    assert ledger_name(done.tenant, done.id) in world.backups.files


async def test_no_receipt_expires_where_no_store_has_told_its_time(world: World) -> None:
    """As when every tenant is gone: nobody says that the clock is right."""
    deleting = await asked_by(world, "carol", DeletionScope.TENANT)
    await deleting.confirm()
    done = await deleting.finish()
    assert world.tenants.rows == {}
    world.clock.move(days=3_654)

    await clean_up(world)

    assert deleting.now == done
    assert ledger_name(done.tenant, done.id) in world.backups.files
