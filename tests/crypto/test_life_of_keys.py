"""What a tenant's vault tells of its keys, and how often it asks for them."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from shared.crypto import envelope
from shared.crypto.tenant_vault import TenantVault
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Place, TenantId
from tests.attacks.stores import CountedFaults
from tests.fakes import NOON, FakeClock, World
from tests.fakes.keys import LocalKeyWrapper
from tests.fakes.stores import MemoryTenantKeyStore

TENANT: Final = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
PLACE: Final = Place(tenant=TENANT, table="users", row_key="u-x", column="sealed_identity")
PLAIN: Final = b"plain"

type Told = Callable[[], list[tuple[str, dict[str, Any]]]]


class Rig:
    """One instance, whose calls to the store and to Key Vault are written down."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.keys, self.wrapper, self.clock = MemoryTenantKeyStore(), LocalKeyWrapper(), FakeClock()
        self.keys.faults = CountedFaults("keys", self.calls)
        self.wrapper.faults = CountedFaults("wrapper", self.calls)
        self.vault = TenantVault(
            keys=self.keys,
            wrapper=self.wrapper,
            clock=self.clock,
            monotonic_clock=self.clock.monotonic,
        )

    def asked(self) -> list[str]:
        """Since the last time that this was asked."""
        found = self.calls.copy()
        self.calls.clear()
        return found


@pytest.fixture
async def rig() -> Rig:
    made = Rig()
    await made.vault.create_key(TENANT)
    made.calls.clear()
    return made


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """The events since the last time: level and fields."""
    caplog.set_level(logging.INFO, "flowrunner")

    def since() -> list[tuple[str, dict[str, Any]]]:
        records = [record for record in caplog.records if record.name == "flowrunner"]
        caplog.clear()
        return [(one.levelname, json.loads(one.getMessage())) for one in records]

    return since


async def test_the_life_of_a_tenants_keys_is_told_with_the_tenant(rig: Rig, told: Told) -> None:
    told()
    rig.clock.move(seconds=1)
    second = await rig.vault.add_key(TENANT, by=None)
    assert told() == [("INFO", {"event": "key_created", "tenant": TENANT})]
    await rig.vault.rewrap(TENANT, by=None)
    assert told() == [("INFO", {"event": "key_rotated", "tenant": TENANT})]
    await rig.vault.destroy_key(TENANT, second)
    assert told() == [("INFO", {"event": "data_key_destroyed", "tenant": TENANT})]
    await rig.vault.destroy_keys(TENANT)
    assert told() == [("INFO", {"event": "key_destroyed", "tenant": TENANT})]
    await rig.vault.create_key(TENANT)
    assert told() == [("INFO", {"event": "key_created", "tenant": TENANT})]


async def test_a_broken_seal_is_an_alarm_that_names_the_tenant(rig: Rig, told: Told) -> None:
    sealed = await rig.vault.seal(PLACE, PLAIN)
    told()

    with pytest.raises(SealBrokenError):
        await rig.vault.open(PLACE, sealed[:-1])

    assert told() == [("ERROR", {"event": "seal_broken", "tenant": TENANT})]


async def test_sealing_below_the_floor_is_an_alarm_that_names_the_tenant(told: Told) -> None:
    """The newest key was taken away."""
    world = World()
    tenant = (await world.signed_in("alice")).tenant
    await world.tenant_keys.raise_floor(tenant, 2**31)
    told()

    with pytest.raises(SealBrokenError):
        await world.another_instance().vault.seal(replace(PLACE, tenant=tenant), PLAIN)

    assert told() == [("ERROR", {"event": "seal_broken", "tenant": tenant})]


async def test_a_key_is_dated(rig: Rig) -> None:
    (row,) = rig.keys.rows.values()

    assert row.created_at == NOON


async def test_for_a_tenant_that_has_a_key_none_is_made_and_none_wrapped(rig: Rig) -> None:
    (before,) = rig.keys.rows.values()
    rig.clock.move(minutes=1)

    assert await rig.vault.create_key(TENANT) == before.version

    assert rig.asked() == ["keys.all"]
    assert list(rig.keys.rows.values()) == [before]


async def test_the_list_of_keys_is_read_once_in_five_seconds_and_a_key_unwrapped_once(
    rig: Rig,
) -> None:
    sealed = await rig.vault.seal(PLACE, PLAIN)
    assert rig.asked().count("wrapper.unwrap") == 1

    rig.clock.move(seconds=4.9)
    for _ in range(3):
        assert await rig.vault.open(PLACE, sealed) == PLAIN
        await rig.vault.seal(PLACE, PLAIN)
    assert rig.asked() == []
    rig.clock.move(seconds=0.1)
    await rig.vault.open(PLACE, sealed)
    asked = rig.asked()
    assert (asked.count("keys.all"), asked.count("wrapper.unwrap")) == (1, 0)


async def test_a_version_that_is_not_there_is_looked_for_once_more_and_forgotten(rig: Rig) -> None:
    """What this instance still had in memory of it is gone, should its row come back."""
    sealed = await rig.vault.seal(PLACE, PLAIN)
    (key,) = rig.keys.rows
    row = rig.keys.rows.pop(key)
    rig.clock.move(seconds=5)
    rig.asked()

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(PLACE, sealed)
    assert rig.asked().count("keys.all") == 2
    rig.keys.rows[key] = row
    rig.wrapper.disable(row.kek_id)
    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(PLACE, sealed)


async def test_a_destroyed_version_that_is_put_back_is_not_opened_from_memory(rig: Rig) -> None:
    sealed = await rig.vault.seal(PLACE, PLAIN)
    ((key, row),) = rig.keys.rows.items()
    rig.clock.move(seconds=1)
    await rig.vault.add_key(TENANT, by=None)

    await rig.vault.destroy_key(TENANT, envelope.key_version_of(sealed))
    rig.keys.rows[key] = row
    rig.wrapper.disable(row.kek_id)

    with pytest.raises(KeyVaultFailedError):
        await rig.vault.open(PLACE, sealed)


async def test_after_wrapping_anew_the_new_wrapping_serves_at_once(rig: Rig) -> None:
    """The instance that did it has not unwrapped the key before, and knew of its old wrapping."""
    await rig.vault._known(TENANT)
    (row,) = rig.keys.rows.values()
    rig.wrapper.rotate()

    await rig.vault.rewrap(TENANT, by=None)
    rig.wrapper.disable(row.kek_id)

    assert await rig.vault.open(PLACE, await rig.vault.seal(PLACE, PLAIN)) == PLAIN
