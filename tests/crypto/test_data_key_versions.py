"""More than one data key: a new one is added, values move to it, and nothing moves back."""

import asyncio
from dataclasses import replace

import pytest

from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError, StorageFailedError
from shared.model.places import SealedValue, place_of
from tests.contract.rows import tenant_row
from tests.crypto.test_tenant_vault import (
    CUSTOMER_KEY,
    FIRST,
    OTHER,
    PLAIN,
    TENANT,
    Rig,
    place,
)
from tests.fakes.keys import OUR_KEK


@pytest.fixture
async def rig() -> Rig:
    """Both tenants have their first key, and a row whose floor is that key."""
    made = Rig()
    for tenant in (TENANT, OTHER):
        await made.vault.create_key(tenant)
        await made.tenants.create(replace(tenant_row(tenant), floor_key_version=FIRST))
    return made


def value(sealed: bytes) -> SealedValue:
    here = place()
    return SealedValue(
        tenant=here.tenant,
        table=here.table,
        row_key=here.row_key,
        column=here.column,
        sealed=sealed,
        etag="1",
    )


# --- one more key --------------------------------------------------------------------------------


async def test_a_new_data_key_seals_at_once_here_and_in_five_seconds_everywhere(rig: Rig) -> None:
    other = rig.another_instance()
    old = await other.seal(place(), PLAIN)
    rig.clock.move(days=90)
    await other.seal(place(), PLAIN)

    version = await rig.vault.add_key(TENANT, by=None)

    assert version == int(rig.clock().timestamp())
    here = await rig.vault.seal(place(), PLAIN)
    assert envelope.key_version_of(here) == version
    assert envelope.key_version_of(await other.seal(place(), PLAIN)) == FIRST
    rig.clock.move(seconds=5)
    assert envelope.key_version_of(await other.seal(place(), PLAIN)) == version
    for vault in (rig.vault, other, rig.another_instance()):
        assert [await vault.open(place(), one) for one in (old, here)] == [PLAIN, PLAIN]


async def test_a_new_version_is_above_all_others_whatever_the_clock_says(rig: Rig) -> None:
    await rig.add_version(FIRST + 1_000, bytes(range(32)))

    assert await rig.vault.add_key(TENANT, by=None) == FIRST + 1_001


async def test_of_many_who_add_a_key_in_one_second_one_key_remains(rig: Rig) -> None:
    rig.clock.move(days=90)

    added = await asyncio.gather(
        *(rig.another_instance().add_key(TENANT, by=None) for _ in range(8))
    )

    assert len(set(added)) == 1
    assert len(await rig.keys.all(TENANT)) == 2


async def test_a_new_data_key_is_wrapped_by_the_customers_key(rig: Rig) -> None:
    rig.wrapper.add_customer_key(CUSTOMER_KEY)

    version = await rig.vault.add_key(TENANT, by=CUSTOMER_KEY)

    assert rig.keys.rows[TENANT, version].kek_id.startswith(f"{CUSTOMER_KEY}/")


async def test_a_key_that_wraps_and_does_not_unwrap_gets_no_data_key(rig: Rig) -> None:
    """Everything of the tenant would be sealed by what nobody can unwrap."""
    rig.wrapper.faults.plan("unwrap", KeyVaultFailedError)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.add_key(TENANT, by=None)

    assert [key.version for key in await rig.keys.all(TENANT)] == [FIRST]


async def test_a_tenant_without_any_key_is_given_no_second_one(rig: Rig) -> None:
    """Its keys were destroyed: what is there was sealed by them."""
    await rig.vault.destroy_keys(TENANT)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.add_key(TENANT, by=None)

    assert list(await rig.keys.all(TENANT)) == []


async def test_the_newest_wrapping_key_is_ours_or_the_customers(rig: Rig) -> None:
    rig.wrapper.add_customer_key(CUSTOMER_KEY)
    before = await rig.vault.newest_kek(by=None)
    rig.wrapper.rotate()

    after = await rig.vault.newest_kek(by=None)

    assert {kek.rpartition("/")[0] for kek in (before, after)} == {OUR_KEK}
    assert before != after
    assert (await rig.vault.newest_kek(by=CUSTOMER_KEY)).startswith(f"{CUSTOMER_KEY}/")


# --- seals move ----------------------------------------------------------------------------------


async def test_c06_what_an_older_key_sealed_is_sealed_by_the_newest(rig: Rig) -> None:
    old = await rig.vault.seal(place(), PLAIN)
    version = await rig.vault.add_key(TENANT, by=None)

    anew = await rig.vault.reseal(value(old), version=version)

    assert anew is not None
    assert envelope.key_version_of(anew) == version
    assert await rig.another_instance().open(place(), anew) == PLAIN


async def test_what_the_newest_key_sealed_is_left_as_it_is(rig: Rig) -> None:
    version = await rig.vault.add_key(TENANT, by=None)
    sealed = await rig.vault.seal(place(), PLAIN)

    assert await rig.vault.reseal(value(sealed), version=version) is None


@pytest.mark.parametrize(
    "sealed",
    [
        pytest.param(b"", id="empty"),
        pytest.param(envelope.seal(bytes(32), FIRST, place(), PLAIN), id="another-key"),
        pytest.param(envelope.seal(bytes(32), 5, place(), PLAIN), id="below-the-floor"),
        pytest.param(envelope.seal(bytes(32), FIRST + 5, place(), PLAIN), id="no-such-version"),
    ],
)
async def test_what_does_not_open_is_not_sealed_anew(rig: Rig, sealed: bytes) -> None:
    await rig.add_version(FIRST + 1_000, bytes(range(32)))
    version = await rig.vault.add_key(TENANT, by=None)

    with pytest.raises(SealBrokenError):
        await rig.vault.reseal(value(sealed), version=version)


async def test_an_older_key_that_key_vault_does_not_unwrap_is_a_failure_of_key_vault(
    rig: Rig,
) -> None:
    """Perhaps tomorrow it does: so nothing is given up."""
    old = await rig.vault.seal(place(), PLAIN)
    version = await rig.vault.add_key(TENANT, by=None)
    rig.wrapper.faults.plan("unwrap", KeyVaultFailedError)

    with pytest.raises(KeyVaultFailedError) as failed:
        await rig.another_instance().reseal(value(old), version=version)

    assert not isinstance(failed.value, SealBrokenError)


def test_an_entry_of_the_outbox_is_sealed_for_its_connection() -> None:
    def of(table: str, row_key: str) -> str:
        return place_of(TENANT, table, row_key, "sealed_grant").row_key

    assert of("connections", "outbox|u-alice|00d5g|0a1b") == "u-alice|00d5g"
    assert of("connections", "u-alice|00d5g") == "u-alice|00d5g"
    assert of("pending", "outbox|u-alice|00d5g|0a1b") == "outbox|u-alice|00d5g|0a1b"


# --- the floor -----------------------------------------------------------------------------------


async def test_c01_below_the_floor_nothing_opens_within_five_seconds(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    other = rig.another_instance()
    old = await rig.vault.seal(place(), PLAIN)
    assert await other.open(place(), old) == PLAIN
    version = await rig.vault.add_key(TENANT, by=None)
    new = await rig.vault.seal(place(), PLAIN)

    await rig.keys.raise_floor(TENANT, version)
    rig.clock.move(seconds=5)

    for vault in (rig.vault, other, rig.another_instance()):
        caplog.clear()
        with pytest.raises(SealBrokenError):
            await vault.open(place(), old)
        assert '"seal_broken"' in caplog.text
        assert await vault.open(place(), new) == PLAIN


async def test_c01_below_the_floor_nothing_is_sealed_anew(rig: Rig) -> None:
    """Somebody puts an old row back: a rotation must not make it good again."""
    old = await rig.vault.seal(place(), PLAIN)
    second = await rig.vault.add_key(TENANT, by=None)
    await rig.keys.raise_floor(TENANT, second)
    third = await rig.vault.add_key(TENANT, by=None)

    with pytest.raises(SealBrokenError):
        await rig.another_instance().reseal(value(old), version=third)


async def test_c01_with_the_newest_key_taken_away_nothing_is_sealed_by_an_old_one(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    second = await rig.vault.add_key(TENANT, by=None)
    await rig.keys.raise_floor(TENANT, second)
    await rig.keys.destroy_version(TENANT, second)

    with pytest.raises(SealBrokenError):
        await rig.another_instance().seal(place(), PLAIN)

    assert '"seal_broken"' in caplog.text


async def test_the_floor_of_one_tenant_is_no_other_tenants(rig: Rig) -> None:
    theirs = await rig.vault.seal(place(OTHER), PLAIN)

    await rig.keys.raise_floor(TENANT, await rig.vault.add_key(TENANT, by=None))

    assert await rig.another_instance().open(place(OTHER), theirs) == PLAIN


async def test_a_tenant_that_has_no_row_yet_has_no_floor() -> None:
    """Its first sign-in is under way."""
    rig = Rig()
    await rig.vault.create_key(TENANT)

    assert await rig.vault.open(place(), await rig.vault.seal(place(), PLAIN)) == PLAIN


async def test_without_the_floor_nothing_is_opened(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)
    rig.keys.faults.plan("floor", StorageFailedError)
    fresh = rig.another_instance()

    with pytest.raises(StorageFailedError):
        await fresh.open(place(), sealed)

    assert await fresh.open(place(), sealed) == PLAIN


# --- one key is destroyed ------------------------------------------------------------------------


async def test_c07_a_version_that_is_destroyed_opens_nothing_and_the_others_do(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    old = await rig.vault.seal(place(), PLAIN)
    await rig.vault.add_key(TENANT, by=None)
    new = await rig.vault.seal(place(), PLAIN)

    await rig.vault.destroy_key(TENANT, FIRST)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(), old)
    assert await rig.vault.open(place(), new) == PLAIN
    assert '"data_key_destroyed"' in caplog.text
    assert '"key_destroyed"' not in caplog.text  # by that, alerts know that a tenant is gone
