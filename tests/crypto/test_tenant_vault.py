"""Each tenant's data keys: made once, unwrapped once, remembered for ten minutes, and no longer."""

import asyncio

import pytest

from shared.crypto import envelope
from shared.crypto.tenant_vault import TenantVault
from shared.errors import KeyVaultFailedError, SealBrokenError, StorageFailedError
from shared.model import Place, TenantId, WrappedKey
from tests.fakes import NOON, FakeClock
from tests.fakes.gates import MemoryGates
from tests.fakes.keys import LocalKeyWrapper
from tests.fakes.stores import MemoryTenantKeyStore, MemoryTenantStore

TENANT = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
OTHER = TenantId.parse("ms-00000000-0000-4000-8000-000000000000")
PLAIN = b"a refresh token"
FIRST = int(NOON.timestamp())
"""The version of a tenant's first key is when it was made, in seconds."""


class Rig:
    """The vault of one instance, and what is outside it."""

    def __init__(self) -> None:
        self.tenants = MemoryTenantStore(MemoryGates())
        self.keys = MemoryTenantKeyStore(self.tenants)
        self.wrapper = LocalKeyWrapper()
        self.clock = FakeClock()
        self.vault = self.another_instance()

    def another_instance(self) -> TenantVault:
        return TenantVault(
            keys=self.keys,
            wrapper=self.wrapper,
            clock=self.clock,
            monotonic_clock=self.clock.monotonic,
        )

    async def add_version(self, version: int, data_key: bytes) -> None:
        """As a rotation does."""
        wrapped, kek_id = await self.wrapper.wrap(data_key)
        await self.keys.create(
            WrappedKey(
                tenant=TENANT, version=version, wrapped=wrapped, kek_id=kek_id, created_at=NOON
            )
        )


def place(tenant: TenantId = TENANT) -> Place:
    return Place(tenant=tenant, table="connections", row_key="u-alice", column="sealed_grant")


@pytest.fixture
async def rig() -> Rig:
    """Both tenants have their first key."""
    made = Rig()
    for tenant in (TENANT, OTHER):
        await made.vault.create_key(tenant)
    return made


async def test_what_one_instance_seals_another_opens(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)

    assert PLAIN not in sealed
    assert await rig.another_instance().open(place(), sealed) == PLAIN


async def test_the_stored_key_is_wrapped(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)
    stored = rig.keys.rows[TENANT, FIRST]
    data_key = await rig.wrapper.unwrap(stored.wrapped, stored.kek_id)

    assert envelope.open_envelope(data_key, place(), sealed) == PLAIN
    assert data_key not in stored.wrapped
    assert len(data_key) == 32


async def test_a_tenant_that_has_a_key_keeps_it(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)
    before = dict(rig.keys.rows)

    await rig.another_instance().create_key(TENANT)

    assert rig.keys.rows == before
    assert await rig.another_instance().open(place(), sealed) == PLAIN


async def test_of_many_first_sign_ins_one_key_remains_and_all_seal_with_it() -> None:
    rig = Rig()
    instances = [rig.another_instance() for _ in range(8)]

    await asyncio.gather(*(vault.create_key(TENANT) for vault in instances))
    sealed = await asyncio.gather(*(vault.seal(place(), PLAIN) for vault in instances))

    assert len(rig.keys.rows) == 1
    opened = await asyncio.gather(*(rig.another_instance().open(place(), one) for one in sealed))
    assert opened == [PLAIN] * 8


async def test_two_tenants_have_two_keys(rig: Rig) -> None:
    first, second = rig.keys.rows[TENANT, FIRST], rig.keys.rows[OTHER, FIRST]

    data_keys = {await rig.wrapper.unwrap(key.wrapped, key.kek_id) for key in (first, second)}

    assert len(data_keys) == 2


async def test_c01_a_value_of_one_tenant_does_not_open_for_another(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(OTHER), sealed)


async def test_c05_the_wrapped_key_of_another_tenant_opens_nothing(rig: Rig) -> None:
    """Somebody who can write rows puts a key that they know in place of the tenant's."""
    sealed = await rig.vault.seal(place(), PLAIN)
    stolen = rig.keys.rows[OTHER, FIRST]
    rig.keys.rows[TENANT, FIRST] = stolen

    with pytest.raises(KeyVaultFailedError):
        await rig.another_instance().open(place(), sealed)


async def test_c05_an_altered_wrapped_key_harms_its_tenant_alone(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(OTHER), PLAIN)
    key = rig.keys.rows[TENANT, FIRST]
    rig.keys.rows[TENANT, FIRST] = WrappedKey(
        tenant=TENANT,
        version=FIRST,
        wrapped=bytes([key.wrapped[0] ^ 1]) + key.wrapped[1:],
        kek_id=key.kek_id,
        created_at=NOON,
    )
    fresh = rig.another_instance()

    with pytest.raises(KeyVaultFailedError):
        await fresh.seal(place(), PLAIN)
    assert await fresh.open(place(OTHER), sealed) == PLAIN


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
async def test_a_data_key_of_another_length_is_not_used(length: int) -> None:
    """AES would take 16 and 24 bytes, too."""
    rig = Rig()
    await rig.add_version(1, bytes(length))

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.seal(place(), PLAIN)


async def test_a_tenant_without_a_key_seals_and_opens_nothing() -> None:
    """Nothing of it is broken: its keys have been destroyed, or are not there yet."""
    rig = Rig()
    sealed = envelope.seal(bytes(32), 1, place(), PLAIN)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.seal(place(), PLAIN)
    with pytest.raises(KeyVaultFailedError) as caught:
        await rig.vault.open(place(), sealed)
    assert not isinstance(caught.value, SealBrokenError)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" * 40, bytes(33)])
async def test_what_is_no_envelope_asks_key_vault_nothing(rig: Rig, sealed: bytes) -> None:
    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(), sealed)

    assert rig.wrapper.unwrapped == 0


async def test_a_key_version_that_is_not_there_does_not_open(rig: Rig) -> None:
    sealed = envelope.seal(bytes(32), 2, place(), PLAIN)

    with pytest.raises(SealBrokenError):
        await rig.vault.open(place(), sealed)


# --- the memory of an instance -------------------------------------------------------------------


async def test_a_cold_start_unwraps_once_for_all_callers(rig: Rig) -> None:
    await asyncio.gather(*(rig.vault.seal(place(), PLAIN) for _ in range(64)))

    assert rig.wrapper.unwrapped == 1


async def test_a_key_is_remembered_for_ten_minutes(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)

    rig.clock.move(seconds=599)
    await rig.vault.open(place(), sealed)
    assert rig.wrapper.unwrapped == 1

    rig.clock.move(seconds=1)
    await rig.vault.open(place(), sealed)
    assert rig.wrapper.unwrapped == 2


async def test_c08_when_key_vault_is_away_a_known_key_serves_and_no_longer_than_it_is_known(
    rig: Rig,
) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)
    rig.wrapper.faults.plan("unwrap", KeyVaultFailedError, times=10)

    assert await rig.vault.open(place(), sealed) == PLAIN
    rig.clock.move(minutes=10)
    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(), sealed)


async def test_c08_when_key_vault_is_away_nothing_is_sealed_in_another_way(rig: Rig) -> None:
    rig.wrapper.faults.plan("unwrap", KeyVaultFailedError)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.seal(place(), PLAIN)

    assert await rig.vault.open(place(), await rig.vault.seal(place(), PLAIN)) == PLAIN


async def test_a_failure_of_the_store_is_told_and_not_remembered(rig: Rig) -> None:
    rig.keys.faults.plan("all", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await rig.vault.seal(place(), PLAIN)

    assert await rig.vault.seal(place(), PLAIN)


async def test_a_disabled_wrapping_key_closes_its_tenants_once_memory_has_faded(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)
    rig.wrapper.disable(rig.keys.rows[TENANT, FIRST].kek_id)
    rig.clock.move(minutes=10)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(), sealed)


async def test_c06_after_a_rotation_the_new_version_seals_and_the_old_still_opens(rig: Rig) -> None:
    old = await rig.vault.seal(place(), PLAIN)
    await rig.add_version(FIRST + 1, bytes(range(32)))
    rig.clock.move(minutes=10)

    new = await rig.vault.seal(place(), PLAIN)

    assert [envelope.key_version_of(one) for one in (old, new)] == [FIRST, FIRST + 1]
    assert await rig.vault.open(place(), old) == PLAIN
    assert await rig.vault.open(place(), new) == PLAIN


async def test_a_value_of_a_newer_version_opens_before_this_instance_knows_of_it(rig: Rig) -> None:
    await rig.vault.seal(place(), PLAIN)  # this instance remembers the first version
    await rig.add_version(FIRST + 1, bytes(range(32)))
    sealed = await rig.another_instance().seal(place(), PLAIN)

    assert envelope.key_version_of(sealed) == FIRST + 1
    assert await rig.vault.open(place(), sealed) == PLAIN


# --- a destroyed key -----------------------------------------------------------------------------


async def test_c07_a_destroyed_key_is_out_of_every_instances_memory_within_five_seconds(
    rig: Rig,
) -> None:
    other = rig.another_instance()
    sealed = await other.seal(place(), PLAIN)

    await rig.vault.destroy_keys(TENANT)
    rig.clock.move(seconds=5)

    for vault in (rig.vault, other):
        with pytest.raises(KeyVaultFailedError):
            await vault.open(place(), sealed)
        with pytest.raises(KeyVaultFailedError):
            await vault.seal(place(), PLAIN)


async def test_c07_who_destroys_a_key_has_it_out_of_memory_at_once(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)

    await rig.vault.destroy_keys(TENANT)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(), sealed)
    with pytest.raises(KeyVaultFailedError):
        await rig.vault.seal(place(), PLAIN)


async def test_c07_a_destroyed_key_that_is_put_back_is_not_opened_from_memory(rig: Rig) -> None:
    """Somebody has kept its row. Without Key Vault's leave that row serves nobody."""
    sealed = await rig.vault.seal(place(), PLAIN)
    kept = rig.keys.rows[TENANT, FIRST]

    await rig.vault.destroy_keys(TENANT)
    rig.wrapper.disable(kept.kek_id)
    await rig.keys.create(kept)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(place(), sealed)


async def test_c07_destroying_one_tenants_keys_leaves_the_others(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(OTHER), PLAIN)

    await rig.vault.destroy_keys(TENANT)

    assert await rig.another_instance().open(place(OTHER), sealed) == PLAIN


async def test_n07_a_tenant_that_comes_back_has_a_key_of_a_version_never_used_before(
    rig: Rig,
) -> None:
    """Nothing that an instance still remembers of the first life serves in the second."""
    other = rig.another_instance()
    old = await other.seal(place(), PLAIN)
    await rig.vault.destroy_keys(TENANT)
    rig.clock.move(seconds=10)

    await rig.vault.create_key(TENANT)
    sealed = await other.seal(place(), PLAIN)

    assert envelope.key_version_of(sealed) > envelope.key_version_of(old)
    assert await rig.another_instance().open(place(), sealed) == PLAIN
    for vault in (rig.vault, other, rig.another_instance()):
        with pytest.raises(KeyVaultFailedError):
            await vault.open(place(), old)


# --- a customer's own key ------------------------------------------------------------------------

CUSTOMER_KEY = "https://contoso.vault.azure.net/keys/flowrunner"


async def test_b1_a_customers_key_wraps_what_ours_wrapped_before(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)
    rig.wrapper.add_customer_key(CUSTOMER_KEY)

    await rig.vault.rewrap(TENANT, by=CUSTOMER_KEY)

    kek_id = rig.keys.rows[TENANT, FIRST].kek_id
    assert kek_id.startswith(f"{CUSTOMER_KEY}/")
    assert await rig.another_instance().open(place(), sealed) == PLAIN


async def test_b1_a_disabled_customer_key_closes_that_tenant_alone(rig: Rig) -> None:
    sealed, theirs = await rig.vault.seal(place(), PLAIN), await rig.vault.seal(place(OTHER), PLAIN)
    rig.wrapper.add_customer_key(CUSTOMER_KEY)
    await rig.vault.rewrap(TENANT, by=CUSTOMER_KEY)
    rig.wrapper.disable(rig.keys.rows[TENANT, FIRST].kek_id)
    fresh = rig.another_instance()

    with pytest.raises(KeyVaultFailedError):
        await fresh.open(place(), sealed)
    assert await fresh.open(place(OTHER), theirs) == PLAIN


async def test_b1_a_key_that_we_may_not_use_changes_nothing(rig: Rig) -> None:
    sealed = await rig.vault.seal(place(), PLAIN)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.rewrap(TENANT, by=CUSTOMER_KEY)

    assert await rig.another_instance().open(place(), sealed) == PLAIN


async def test_b1_a_key_that_wraps_and_does_not_unwrap_changes_nothing(rig: Rig) -> None:
    """What it wrapped would never open again; with one key version as with several."""
    await rig.add_version(FIRST + 1, bytes(range(32)))
    before = dict(rig.keys.rows)
    rig.wrapper.add_customer_key(CUSTOMER_KEY)

    async def fails() -> None:
        rig.wrapper.faults.plan("unwrap", KeyVaultFailedError)

    async def passes() -> None:
        rig.wrapper.faults.meanwhile("wrap", fails)

    for at_the_first_key in (fails, passes):
        rig.wrapper.faults.meanwhile("wrap", at_the_first_key)
        with pytest.raises(KeyVaultFailedError):
            await rig.vault.rewrap(TENANT, by=CUSTOMER_KEY)

        assert rig.keys.rows == before


async def test_b1_a_key_that_gives_back_another_key_changes_nothing(rig: Rig) -> None:
    before = dict(rig.keys.rows)
    rig.wrapper.add_customer_key(CUSTOMER_KEY)
    vault = TenantVault(
        keys=rig.keys,
        wrapper=_Forgetful(rig.wrapper),
        clock=rig.clock,
        monotonic_clock=rig.clock.monotonic,
    )

    with pytest.raises(KeyVaultFailedError):
        await vault.rewrap(TENANT, by=CUSTOMER_KEY)

    assert rig.keys.rows == before


class _Forgetful:
    """Wraps another data key than it was given."""

    def __init__(self, wrapper: LocalKeyWrapper) -> None:
        self._wrapper = wrapper

    async def wrap(self, data_key: bytes, *, by: str | None = None) -> tuple[bytes, str]:
        return await self._wrapper.wrap(data_key[::-1], by=by)

    async def newest(self, *, by: str | None = None) -> str:
        return await self._wrapper.newest(by=by)

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        return await self._wrapper.unwrap(wrapped, kek_id)
