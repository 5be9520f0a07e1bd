"""A key of the customer's own wraps the tenant's data keys, or nothing changes."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.errors import (
    InvalidRequestError,
    KeyVaultFailedError,
    SettingsChangedError,
    StorageFailedError,
)
from shared.model import Caller, Health, TenantSettings
from shared.tenant_settings import revision_of
from tests.fakes import CONTOSO_ORG, World
from tests.fakes.keys import OUR_KEK
from tests.settings import settings
from tests.usecases.conftest import Told
from tests.usecases.settling import change, settings_of, settle

KEY = "https://contoso-keys.vault.azure.net/keys/flowrunner"
OTHER_KEY = "https://contoso-keys.vault.azure.net/keys/another"


@pytest.fixture
async def carol(world: World) -> Caller:
    """An administrator who is connected."""
    for key in (KEY, OTHER_KEY):
        world.key_wrapper.add_customer_key(key)
    caller = await world.signed_in("carol")
    await world.connect(caller)
    return caller


def wrapped_by(world: World, caller: Caller) -> set[str]:
    """The keys (without their versions) that wrap the tenant's data keys."""
    return {
        key.kek_id.rpartition("/")[0]
        for (tenant, _), key in world.tenant_keys.rows.items()
        if tenant == caller.tenant
    }


async def health(world: World, caller: Caller) -> Sequence[Health]:
    """As an instance sees it that remembers no data key."""
    fresh = world.another_instance()
    return [org.health for org in await fresh.services.list_connections(caller)]


async def test_the_data_keys_are_wrapped_by_the_customers_key_and_everything_opens(
    world: World, carol: Caller
) -> None:
    await change(world, carol, customer_key=KEY)

    assert wrapped_by(world, carol) == {KEY}
    assert await health(world, carol) == [Health.ACTIVE]
    assert await world.another_instance().services.list_flows(carol, CONTOSO_ORG)


async def test_without_the_customers_key_ours_wraps_again(world: World, carol: Caller) -> None:
    await change(world, carol, customer_key=KEY)

    await change(world, carol, customer_key=None)

    assert wrapped_by(world, carol) == {OUR_KEK}
    assert await health(world, carol) == [Health.ACTIVE]


async def test_another_setting_does_not_touch_the_keys(world: World, carol: Caller) -> None:
    before = dict(world.tenant_keys.rows)

    await change(world, carol, retention_days=30)

    assert world.tenant_keys.rows == before
    assert world.leases.held == {}


@pytest.mark.parametrize(
    "own",
    [
        pytest.param("{vault}/keys/tenant-kek", id="the-wrapping-key"),
        pytest.param("{vault}/keys/tenant-kek/" + "0" * 31 + "1", id="a-version-of-it"),
        pytest.param("{vault}/keys/receipt-signing", id="another-key"),
    ],
)
async def test_a_key_in_our_own_vault_is_no_customers_key(
    world: World, carol: Caller, own: str
) -> None:
    before = dict(world.tenant_keys.rows)

    with pytest.raises(InvalidRequestError):
        await change(
            world, carol, customer_key=own.format(vault=world.settings.key_vault_uri.rstrip("/"))
        )

    assert world.tenant_keys.rows == before
    assert settings_of(world, carol) == TenantSettings()
    assert world.leases.held == {}


async def test_our_own_vault_is_known_however_its_address_is_written() -> None:
    world = World(settings(key_vault_uri="https://FlowRunner-Local.vault.azure.net:443/"))
    caller = await world.signed_in("carol")

    with pytest.raises(InvalidRequestError):
        await change(
            world, caller, customer_key="https://flowrunner-local.vault.azure.net/keys/any"
        )


async def test_a_key_that_is_disabled_closes_its_tenant_and_no_other(
    world: World, carol: Caller
) -> None:
    await change(world, carol, customer_key=KEY)
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    kek_ids = {key.kek_id for key in world.tenant_keys.rows.values() if KEY in key.kek_id}

    for kek_id in kek_ids:
        world.key_wrapper.disable(kek_id)

    assert await health(world, carol) == [Health.KEY_UNAVAILABLE]
    assert await health(world, mallory) == [Health.ACTIVE]


# --- where it does not go well ---------------------------------------------------------------


async def nothing_changed(world: World, caller: Caller) -> None:
    assert settings_of(world, caller) == TenantSettings()
    assert world.tenants.changes == {}
    assert wrapped_by(world, caller) == {OUR_KEK}
    assert await health(world, caller) == [Health.ACTIVE]
    assert world.leases.held == {}


async def test_a_key_that_the_vault_refuses_changes_nothing(world: World, carol: Caller) -> None:
    before = dict(world.tenant_keys.rows)

    with pytest.raises(KeyVaultFailedError):
        await change(world, carol, customer_key=f"{KEY}-unknown", retention_days=30)

    assert world.tenant_keys.rows == before
    await nothing_changed(world, carol)


async def test_a_key_that_wraps_but_does_not_unwrap_changes_nothing(
    world: World, carol: Caller
) -> None:
    """Wrapping needs no permission, the public half is public: what it wrapped would be lost."""

    async def no_unwrapping() -> None:
        world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)

    world.key_wrapper.faults.meanwhile("wrap", no_unwrapping)
    with pytest.raises(KeyVaultFailedError):
        await change(world, carol, customer_key=KEY)

    await nothing_changed(world, carol)


async def test_when_the_settings_cannot_be_written_the_old_key_wraps_again(
    world: World, carol: Caller
) -> None:
    world.tenants.faults.plan("change_settings", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await change(world, carol, customer_key=KEY)

    await nothing_changed(world, carol)


async def test_when_the_answer_is_lost_the_key_that_was_settled_wraps(
    world: World, carol: Caller
) -> None:
    world.tenants.faults.plan("change_settings", StorageFailedError, carried_out=True)

    with pytest.raises(StorageFailedError):
        await change(world, carol, customer_key=KEY)

    assert settings_of(world, carol).customer_key == KEY
    assert wrapped_by(world, carol) == {KEY}


async def test_when_the_keys_cannot_be_written_nothing_is_settled(
    world: World, carol: Caller
) -> None:
    world.tenant_keys.faults.plan("rewrap", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await change(world, carol, customer_key=KEY)

    await nothing_changed(world, carol)


async def test_who_loses_the_race_wraps_the_keys_back_as_the_winner_has_settled(
    world: World, carol: Caller
) -> None:
    async def somebody_else() -> None:
        await change(world.another_instance(), carol, retention_days=30)

    world.tenants.faults.meanwhile("change_settings", somebody_else)
    with pytest.raises(SettingsChangedError):
        await change(world, carol, customer_key=KEY)

    assert settings_of(world, carol) == TenantSettings(retention_days=30)
    assert wrapped_by(world, carol) == {OUR_KEK}
    assert await health(world, carol) == [Health.ACTIVE]
    assert world.leases.held == {}


async def test_who_comes_too_late_does_not_touch_the_keys(world: World, carol: Caller) -> None:
    """Somebody was done between the first look and the lease."""
    before = dict(world.tenant_keys.rows)

    async def somebody_else() -> None:
        await change(world.another_instance(), carol, retention_days=30)

    world.leases.faults.meanwhile("take", somebody_else)
    with pytest.raises(SettingsChangedError):
        await change(world, carol, customer_key=KEY)

    assert world.tenant_keys.rows == before


async def test_the_key_is_read_again_before_the_keys_are_wrapped_back(
    world: World, carol: Caller
) -> None:
    """The lease has lapsed, or an operator did it: what holds is what the settings say."""

    async def somebody_else() -> None:
        settle(world, carol, customer_key=OTHER_KEY)

    world.tenants.faults.meanwhile("change_settings", somebody_else)
    with pytest.raises(SettingsChangedError):
        await change(world, carol, customer_key=KEY)

    assert wrapped_by(world, carol) == {OTHER_KEY}


async def test_of_many_who_change_the_key_at_once_one_wins_and_that_key_wraps(
    world: World, carol: Caller
) -> None:
    read = revision_of(TenantSettings())
    wanted = [TenantSettings(customer_key=key) for key in (KEY, OTHER_KEY) * 4]

    answers = await asyncio.gather(
        *(
            world.another_instance().services.change_settings(carol, one, revision=read)
            for one in wanted
        ),
        return_exceptions=True,
    )

    failures = [type(one) for one in answers if isinstance(one, BaseException)]
    assert failures == [SettingsChangedError] * 7
    assert wrapped_by(world, carol) == {settings_of(world, carol).customer_key}
    assert len(world.tenants.changes) == 1
    assert await health(world, carol) == [Health.ACTIVE]


async def test_while_somebody_changes_the_key_nobody_else_does(world: World, carol: Caller) -> None:
    later = world.clock().replace(hour=13)
    assert await world.leases.take(carol.tenant, "customer-key", holder="other", until=later)

    with pytest.raises(SettingsChangedError):
        await change(world, carol, customer_key=KEY)

    assert wrapped_by(world, carol) == {OUR_KEK}
    await change(world, carol, retention_days=30)
    assert settings_of(world, carol).retention_days == 30


async def test_keys_that_cannot_be_wrapped_back_still_open_and_are_an_alarm(
    world: World, carol: Caller, told: Told
) -> None:
    async def vault_goes_away() -> None:
        world.key_wrapper.faults.plan("wrap", KeyVaultFailedError)

    world.tenants.faults.meanwhile("change_settings", vault_goes_away)
    world.tenants.faults.plan("change_settings", StorageFailedError)
    with pytest.raises(StorageFailedError):
        await change(world, carol, customer_key=KEY)

    assert settings_of(world, carol) == TenantSettings()
    assert wrapped_by(world, carol) == {KEY}
    assert await health(world, carol) == [Health.ACTIVE]
    (line,) = told("dependency_failed")
    assert (line["level"], line["step"], line["code"]) == ("ERROR", "rewrap", "key_vault_failed")
    assert line["tenant"] == carol.tenant


async def test_a_lease_that_cannot_be_given_back_is_no_failure(world: World, carol: Caller) -> None:
    world.leases.faults.plan("release", StorageFailedError)

    await change(world, carol, customer_key=KEY)

    assert wrapped_by(world, carol) == {KEY}
