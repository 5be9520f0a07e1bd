"""C-08: Key Vault is down, throttles, refuses, hangs or answers rubbish.

What an instance has in memory serves on, for ten minutes and no longer; nothing is ever sealed in
another way, or left in clear; and the caller gets `502 key_vault_failed`.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from local.simulators.azure_tokens import AzureTokens
from shared.crypto.tenant_vault import TenantVault
from shared.errors import KeyVaultFailedError
from shared.model import Place, TenantId
from tests.attacks.sealed_world import invoked
from tests.attacks.stores import changes, contents
from tests.crypto.simulated_vault import SimulatedVault, simulated_vault
from tests.fakes import NOON, World
from tests.fakes.stores import MemoryTenantKeyStore
from tests.functions.host import call, failure_of

TENANT: Final = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
PLACE: Final = Place(tenant=TENANT, table="connections", row_key="u-x|00d", column="sealed_grant")
PLAIN: Final = b"a refresh token"
DEADLINE: Final = 10.0  # seconds


def instance(vault: SimulatedVault, keys: MemoryTenantKeyStore) -> TenantVault:
    """What one instance of the service has in front of a vault."""
    return TenantVault(
        keys=keys,
        wrapper=vault.key_wrapper(),
        clock=vault.clock,
        monotonic_clock=vault.clock.monotonic,
    )


@pytest.fixture(scope="module")
def tokens() -> AzureTokens:
    return AzureTokens(clock=NOON.timestamp)


@pytest.fixture
def vault(tmp_path: Path, tokens: AzureTokens) -> Iterator[SimulatedVault]:
    with simulated_vault(tmp_path, tokens) as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("status", 503, id="down"),
        pytest.param("status", 429, id="throttled"),
        pytest.param("status", 403, id="forbidden"),
        pytest.param("status", 404, id="gone"),
        pytest.param("html", 0, id="a-page-for-people"),
        pytest.param("reset_before", 0, id="cut"),
        pytest.param("reset_after", 0, id="answers-lost"),
    ],
)
async def test_C08_a_known_key_serves_for_ten_minutes_and_then_nothing_does(
    vault: SimulatedVault, kind: str, value: float
) -> None:
    keys = MemoryTenantKeyStore()
    warm, cold = instance(vault, keys), instance(vault, keys)
    await warm.create_key(TENANT)
    sealed = await warm.seal(PLACE, PLAIN)
    vault.misbehave(kind, value)

    vault.clock.move(minutes=9, seconds=59)
    assert await warm.open(PLACE, sealed) == PLAIN
    assert PLAIN not in await warm.seal(PLACE, PLAIN)
    await all_fail(cold.open(PLACE, sealed), cold.seal(PLACE, PLAIN))
    vault.clock.move(seconds=1)
    await all_fail(warm.open(PLACE, sealed), warm.seal(PLACE, PLAIN))

    vault.behave()
    for one in (warm, cold):
        assert await one.open(PLACE, sealed) == PLAIN
    await vault.network.close()


async def test_C08_who_waits_for_the_vault_waits_ten_seconds_and_holds_up_nobody(
    tmp_path: Path, tokens: AzureTokens
) -> None:
    """One vault answers after a minute; another one says 429, and to come back in ten minutes."""
    with (
        simulated_vault(tmp_path, tokens) as slow,
        simulated_vault(tmp_path, tokens) as throttled,
    ):
        waits = await asyncio.gather(
            seconds_until_failure(slow, "delay", 60),
            seconds_until_failure(throttled, "status", 429, headers={"Retry-After": "600"}),
        )
    assert all(DEADLINE - 0.1 <= wait < DEADLINE + 2 for wait in waits), waits


async def seconds_until_failure(
    vault: SimulatedVault, kind: str, value: float, headers: Mapping[str, str] | None = None
) -> float:
    """Of a tenant whose key is not in memory, while another one's, which is, serves at once."""
    other = replace(PLACE, tenant=TenantId.parse(f"g-{'a' * 26}"))
    tenants = instance(vault, MemoryTenantKeyStore())
    for place in (PLACE, other):
        await tenants.create_key(place.tenant)
    sealed = await tenants.seal(PLACE, PLAIN)
    vault.misbehave(kind, value, headers=headers)

    began = time.monotonic()
    waiting = asyncio.create_task(all_fail(tenants.seal(other, PLAIN)))
    await asyncio.sleep(0.5)
    assert await tenants.open(PLACE, sealed) == PLAIN
    assert time.monotonic() - began < DEADLINE / 2
    await waiting
    took = time.monotonic() - began
    await vault.network.close()
    return took


async def all_fail(*works: Awaitable[bytes]) -> None:
    found = await asyncio.gather(*works, return_exceptions=True)
    assert [type(one) for one in found] == [KeyVaultFailedError] * len(works)


# --- what callers see ----------------------------------------------------------------------------


async def test_C08_over_http_it_is_502_and_nothing_is_written_in_clear_or_at_all() -> None:
    world = World()
    alice = await world.sign_in("alice")
    await world.connect(alice.caller)
    fresh = world.another_instance()
    world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError, times=100)
    before = contents(world)

    assert failure_of(await invoked(fresh, alice.session)) == (502, "key_vault_failed")
    described = await call(fresh.services, "salesforce_connect", token=alice.session, body={})

    assert failure_of(described) == (502, "key_vault_failed")
    assert changes(before, contents(world)) == set()
    assert world.flows.received == []


@pytest.mark.parametrize("step", ["wrap", "unwrap"])
async def test_C08_a_new_tenant_cannot_come_in_and_leaves_nothing_that_is_not_sealed(
    step: str,
) -> None:
    world = World()
    world.key_wrapper.faults.plan(step, KeyVaultFailedError)

    refused = await call(
        world.services, "sso_exchange", token="alice", body={"provider": "microsoft"}
    )

    assert failure_of(refused) == (502, "key_vault_failed")
    assert (world.tenants.rows, world.users.rows) == ({}, {})
    assert (await world.sign_in("alice")).caller.tenant in world.tenants.rows
