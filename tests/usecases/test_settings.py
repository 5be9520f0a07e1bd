"""What a tenant has settled: everybody reads it, administrators change it, one at a time."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    DeletionInProgressError,
    NotAdminError,
    SettingsChangedError,
    StorageFailedError,
)
from shared.model import DEFAULT_RETENTION_DAYS, Caller, TenantSettings, TenantStatus
from shared.tenant_settings import revision_of
from tests.fakes import CONTOSO_ORG, NOON, World
from tests.usecases.conftest import Told
from tests.usecases.invoking import invocation, run
from tests.usecases.settling import change, settings_of

KEY = "https://contoso-keys.vault.azure.net/keys/flowrunner"
CHANGES: dict[str, Any] = {
    "retention_days": 30,
    "allowed_orgs": (CONTOSO_ORG,),
    "idle_grants": "keep_alive",
    "input_aliases": {"Log_Email": {"mine": "subject"}},
    "customer_key": KEY,
}


@pytest.fixture
async def carol(world: World) -> Caller:
    """An administrator."""
    world.key_wrapper.add_customer_key(KEY)
    return await world.signed_in("carol")


# --- reading ---------------------------------------------------------------------------------


async def test_a_new_tenant_has_settled_nothing(world: World, carol: Caller) -> None:
    seen = await world.services.read_settings(carol)

    assert seen.settings == TenantSettings()
    assert seen.settings.retention_days == DEFAULT_RETENTION_DAYS == 365
    assert seen.changes == []
    assert seen.revision == revision_of(TenantSettings())


async def test_a_user_sees_all_but_the_key_and_the_changes(world: World, carol: Caller) -> None:
    await change(world, carol, **CHANGES)
    alice = await world.signed_in("alice")

    seen = await world.services.read_settings(alice)

    assert seen.settings == replace(TenantSettings(**CHANGES), customer_key=None)
    assert seen.changes is None


async def test_a_user_cannot_try_guesses_of_the_key_against_the_revision(
    world: World, carol: Caller
) -> None:
    alice = await world.signed_in("alice")
    before = (await world.services.read_settings(alice)).revision

    await change(world, carol, customer_key=KEY)

    assert (await world.services.read_settings(alice)).revision == before


async def test_n01_another_tenants_settings_are_not_seen(world: World, carol: Caller) -> None:
    await change(world, carol, **CHANGES)
    grace = await world.signed_in("grace")

    seen = await world.services.read_settings(grace)

    assert (seen.settings, seen.changes) == (TenantSettings(), [])


async def test_who_signs_in_or_out_does_not_change_the_revision(
    world: World, carol: Caller
) -> None:
    """The row's own etag moves when other columns are written."""
    before = await world.services.read_settings(carol)
    etag = world.tenants.rows[carol.tenant].etag
    world.tenants.change(carol.tenant, epoch=5)

    after = await world.services.read_settings(carol)

    assert world.tenants.rows[carol.tenant].etag != etag
    assert after.revision == before.revision


async def test_the_newest_twenty_changes_are_told_newest_first(world: World, carol: Caller) -> None:
    for days in range(1, 23):
        world.clock.move(seconds=1)
        await change(world, carol, retention_days=days)

    changes = (await world.services.read_settings(carol)).changes

    assert changes is not None
    assert [one.changed_at for one in changes] == [
        NOON + timedelta(seconds=n) for n in range(22, 2, -1)
    ]


async def test_the_settings_of_a_tenant_that_is_gone_are_not_read(
    world: World, carol: Caller
) -> None:
    del world.tenants.rows[carol.tenant]

    with pytest.raises(DeletionInProgressError):
        await world.services.read_settings(carol)


# --- changing --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHANGES)
async def test_each_setting_can_be_changed_and_leaves_who_when_and_its_name(
    world: World, carol: Caller, told: Told, name: str
) -> None:
    seen = await change(world, carol, **{name: CHANGES[name]})

    assert settings_of(world, carol) == seen.settings
    assert seen.settings == replace(TenantSettings(), **{name: CHANGES[name]})
    assert seen.revision == (await world.services.read_settings(carol)).revision
    assert seen.changes is not None
    (row,) = seen.changes
    assert (row.changed_at, row.changed_by, row.changed) == (NOON, carol.user, (name,))
    (line,) = told("settings_changed")
    assert (line["tenant"], line["user"], line["count"]) == (carol.tenant, carol.user, 1)


async def test_several_settings_are_one_change(world: World, carol: Caller, told: Told) -> None:
    seen = await change(world, carol, **CHANGES)

    assert seen.changes is not None
    assert [one.changed for one in seen.changes] == [tuple(CHANGES)]
    assert [line["count"] for line in told("settings_changed")] == [5]


async def test_the_values_are_in_no_log_and_in_no_record_of_the_change(
    world: World, carol: Caller, told: Told
) -> None:
    await change(world, carol, **CHANGES)

    text = str(told("settings_changed")) + str(world.tenants.changes)

    assert not [value for value in (KEY, CONTOSO_ORG, "keep_alive", "mine") if value in text]


async def test_a_change_that_changes_nothing_leaves_no_mark(
    world: World, carol: Caller, told: Told
) -> None:
    await change(world, carol, retention_days=30)
    etag = world.tenants.rows[carol.tenant].etag

    seen = await change(world, carol)

    assert seen.settings.retention_days == 30
    assert len(world.tenants.changes) == len(told("settings_changed")) == 1
    assert world.tenants.rows[carol.tenant].etag == etag


async def test_a_change_of_what_somebody_else_has_changed_is_refused(
    world: World, carol: Caller
) -> None:
    read = (await world.services.read_settings(carol)).revision
    await change(world, carol, retention_days=30)

    for wanted in (TenantSettings(retention_days=31), TenantSettings(retention_days=30)):
        with pytest.raises(SettingsChangedError):
            await world.services.change_settings(carol, wanted, revision=read)

    assert settings_of(world, carol).retention_days == 30
    assert len(world.tenants.changes) == 1


@pytest.mark.parametrize("revision", ["", "x", "*", "0" * 64])
async def test_a_revision_that_never_was_is_refused(
    world: World, carol: Caller, revision: str
) -> None:
    with pytest.raises(SettingsChangedError):
        await world.services.change_settings(
            carol, TenantSettings(retention_days=1), revision=revision
        )


async def test_of_many_administrators_at_once_exactly_one_wins(world: World, carol: Caller) -> None:
    read = revision_of(TenantSettings())
    instances = [world.another_instance().services for _ in range(16)]

    answers = await asyncio.gather(
        *(
            services.change_settings(carol, TenantSettings(retention_days=n + 1), revision=read)
            for n, services in enumerate(instances)
        ),
        return_exceptions=True,
    )

    failures = [type(one) for one in answers if isinstance(one, BaseException)]
    assert failures == [SettingsChangedError] * 15
    (winner,) = (one for one in answers if not isinstance(one, BaseException))
    assert settings_of(world, carol) == winner.settings
    assert len(world.tenants.changes) == 1


async def test_a_row_whose_other_columns_moved_is_written_all_the_same(
    world: World, carol: Caller
) -> None:
    before = world.tenants.rows[carol.tenant].epoch

    async def somebody_is_busy() -> None:
        epoch = world.tenants.rows[carol.tenant].epoch
        world.tenants.change(carol.tenant, epoch=epoch + 1)

    for _ in range(4):
        world.tenants.faults.meanwhile("change_settings", somebody_is_busy)

    await change(world, carol, retention_days=30)

    assert settings_of(world, carol).retention_days == 30
    assert world.tenants.rows[carol.tenant].epoch == before + 4
    assert len(world.tenants.changes) == 1


async def test_a_row_that_moves_every_time_is_a_failure_and_not_for_ever(
    world: World, carol: Caller
) -> None:
    async def somebody_is_busy() -> None:
        world.tenants.change(carol.tenant, epoch=1)

    for _ in range(100):
        world.tenants.faults.meanwhile("change_settings", somebody_is_busy)

    with pytest.raises(StorageFailedError):
        await change(world, carol, retention_days=30)

    assert settings_of(world, carol) == TenantSettings()
    assert world.tenants.changes == {}


async def test_when_the_store_is_away_nothing_is_changed(world: World, carol: Caller) -> None:
    world.tenants.faults.plan("change_settings", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await change(world, carol, retention_days=30)

    assert (settings_of(world, carol), world.tenants.changes) == (TenantSettings(), {})


async def test_n04_a_user_changes_nothing(world: World, carol: Caller) -> None:
    alice = await world.signed_in("alice")

    for changes in ({}, {"retention_days": 30}, {"customer_key": KEY}):
        with pytest.raises(NotAdminError):
            await change(world, alice, **changes)

    assert (settings_of(world, carol), world.tenants.changes) == (TenantSettings(), {})


async def test_n01_an_administrator_changes_the_own_tenant_alone(
    world: World, carol: Caller
) -> None:
    grace = await world.signed_in("grace")

    await change(world, grace, retention_days=30)

    assert settings_of(world, grace).retention_days == 30
    assert settings_of(world, carol) == TenantSettings()
    assert {owner for owner, _ in world.tenants.changes} == {grace.tenant}


@pytest.mark.parametrize("status", [TenantStatus.DELETING, TenantStatus.DISABLED])
async def test_a_tenant_that_is_not_served_any_more_settles_nothing(
    world: World, carol: Caller, status: TenantStatus
) -> None:
    world.tenants.change(carol.tenant, status=status)

    with pytest.raises(DeletionInProgressError):
        await change(world, carol, retention_days=30)

    assert settings_of(world, carol) == TenantSettings()


async def test_a_deletion_that_begins_meanwhile_wins(world: World, carol: Caller) -> None:
    async def deletion() -> None:
        await world.tenants.begin_deletion(carol.tenant)

    world.tenants.faults.meanwhile("change_settings", deletion)

    with pytest.raises(DeletionInProgressError):
        await change(world, carol, retention_days=30)

    assert settings_of(world, carol) == TenantSettings()
    assert world.tenants.changes == {}


async def test_a_shorter_retention_bites_at_the_next_cleaning(world: World, carol: Caller) -> None:
    await world.connect(carol)
    await run(world, carol, invocation())
    world.clock.move(days=40)
    await world.services.clean_up()
    assert len(world.runs.rows) == 1

    await change(world, carol, retention_days=39)
    await world.another_instance().services.clean_up()

    assert world.runs.rows == {}
