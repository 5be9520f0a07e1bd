"""Wrapped data keys that somebody has altered (C-05), keys that rotate while 64 clients use them
(C-06), and keys of before a rotation that somebody puts back (C-01)."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from local.network import pinned_network
from local.stack_info import StackInfo
from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Caller, Health, TenantId
from shared.outside import Azure
from shared.services import Services
from shared.usecases.rotate_keys import DATA_KEY_LIFETIME
from tests.attacks.rotating_worker import rotating
from tests.attacks.serving_clients import FLOW, Client, Tally, connected, expiring
from tests.attacks.worker_settings import settings_on
from tests.contract.salesforce import SimulatedScene
from tests.control_client import ControlClient
from tests.fakes import World
from tests.usecases.rotating import (
    keys,
    opened,
    retired,
    rotate,
    rotate_hourly,
    sealed,
    tenant_with_values,
)

ROOT: Final = Path(__file__).parent.parent.parent

# --- C-05: a wrapped data key that is not the tenant's -------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Two:
    """Two tenants, each with a value in every sealed column."""

    world: World
    victim: Caller
    other: Caller

    async def health(self, caller: Caller) -> list[Health]:
        """As an instance answers that remembers nothing."""
        services = self.world.another_instance().services
        return [one.health for one in await services.list_connections(caller)]

    def put(self, **changes: Any) -> None:  # noqa: ANN401 - any field's type
        """Alter the row of the victim's one data key."""
        (version,) = keys(self.world, self.victim.tenant)
        key = (self.victim.tenant, version)
        self.world.tenant_keys.rows[key] = replace(self.world.tenant_keys.rows[key], **changes)

    def key_of(self, caller: Caller) -> Any:  # noqa: ANN401 - a WrappedKey
        return self.world.tenant_keys.rows[caller.tenant, keys(self.world, caller.tenant)[-1]]

    async def check_that_the_victim_alone_is_closed(self) -> None:
        before = await sealed(self.world, self.victim.tenant)
        world = self.world.another_instance()
        for value in before:
            with pytest.raises(KeyVaultFailedError):
                await world.vault.open(value.place, value.sealed)
        assert await self.health(self.victim) == [Health.KEY_UNAVAILABLE]
        assert await self.health(self.other) == [Health.ACTIVE]


@pytest.fixture
async def two() -> Two:
    world = World()
    return Two(
        world=world,
        victim=await tenant_with_values(world),
        other=await tenant_with_values(world, "mallory"),
    )


async def test_C05_a_wrapped_key_with_any_byte_altered_unwraps_nowhere(two: Two) -> None:
    whole = two.key_of(two.victim).wrapped
    (value, *_) = await sealed(two.world, two.victim.tenant)
    refused = 0
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 1 << position % 8
        two.put(wrapped=bytes(altered))
        vault = two.world.another_instance().vault
        with pytest.raises(KeyVaultFailedError):
            await vault.open(value.place, value.sealed)
        with pytest.raises(KeyVaultFailedError):
            await vault.seal(value.place, b"anything")
        refused += 1

    print(f"\nC-05: {refused} of {len(whole)} altered bytes refused")  # noqa: T201 - the figures
    assert refused == len(whole) == 384
    await two.check_that_the_victim_alone_is_closed()
    two.put(wrapped=whole)
    assert await two.health(two.victim) == [Health.ACTIVE]


async def test_C05_another_tenants_wrapped_key_opens_nothing(two: Two) -> None:
    theirs = two.key_of(two.other)
    two.put(wrapped=theirs.wrapped, kek_id=theirs.kek_id)

    await two.check_that_the_victim_alone_is_closed()


async def test_C05_another_version_of_the_wrapping_key_unwraps_nothing(two: Two) -> None:
    two.world.key_wrapper.rotate()
    two.put(kek_id=await two.world.key_wrapper.newest())

    await two.check_that_the_victim_alone_is_closed()


@pytest.mark.parametrize("column", ["wrapped", "kek_id", "another tenant's"])
async def test_C05_a_rotation_leaves_an_altered_key_as_it_is_and_goes_on_with_the_others(
    two: Two, column: str
) -> None:
    """It may be mended by hand, and then everything is there."""
    world, tenant = two.world, two.victim.tenant
    whole, theirs = two.key_of(two.victim), await opened(world, tenant)
    others = await opened(world, two.other.tenant)
    world.clock.move(seconds=DATA_KEY_LIFETIME.total_seconds())
    world.key_wrapper.rotate()
    other = two.key_of(two.other)
    changes: dict[str, dict[str, object]] = {
        "wrapped": {"wrapped": bytes(384)},
        "kek_id": {"kek_id": await world.key_wrapper.newest()},
        "another tenant's": {"wrapped": other.wrapped, "kek_id": other.kek_id},
    }
    two.put(**changes[column])
    altered = two.key_of(two.victim)

    await rotate(world)
    await rotate_hourly(world, 2)

    if column != "another tenant's":  # which can be unwrapped, and so is wrapped anew
        assert world.tenant_keys.rows[tenant, whole.version] == altered
    assert retired(world, tenant) == []
    assert len(retired(world, two.other.tenant)) == 1
    assert await opened(world, two.other.tenant) == others

    world.tenant_keys.rows[tenant, whole.version] = whole
    await rotate(world)
    await rotate_hourly(world, 2)
    assert await opened(world, tenant) == theirs
    assert retired(world, tenant) == [whole.version]


# --- C-01: what was true before a rotation -------------------------------------------------------


async def test_C01_a_rolled_back_key_is_refused(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever can write rows has kept the data key and all that it sealed, and puts them back."""
    world, tenant = two.world, two.victim.tenant
    key, rows = two.key_of(two.victim), dict(world.connections.rows)
    world.clock.move(seconds=DATA_KEY_LIFETIME.total_seconds())
    await rotate(world)
    await rotate_hourly(world, 1)
    world.clock.move(days=32)
    await rotate(world)
    assert key.version not in keys(world, tenant)

    world.tenant_keys.rows[tenant, key.version] = key
    world.connections.rows.update({name: row for name, row in rows.items() if row.tenant == tenant})
    caplog.clear()

    assert await two.health(two.victim) == [Health.KEY_UNAVAILABLE]
    assert '"seal_broken"' in caplog.text
    await rotate_hourly(world, 3)
    assert await two.health(two.victim) == [Health.KEY_UNAVAILABLE]
    for row in world.connections.rows.values():
        if row.tenant == tenant:
            assert envelope.key_version_of(row.sealed_grant) == key.version
            with pytest.raises(SealBrokenError):
                await world.another_instance().vault.open(row.place, row.sealed_grant)
    assert await two.health(two.other) == [Health.ACTIVE]


# --- C-06: 64 clients ----------------------------------------------------------------------------

INSTANCES: Final = 4
USERS: Final = 16
KILL_AFTER: Final = 7
KNOWN_SECONDS: Final = 6.0
"""After so long every instance knows of a new data key: what begins then does not use the older."""
AFTERWARDS_SECONDS: Final = 7.0
"""So long everything goes on being used when the floor has risen: instances learn of it in five."""


@pytest.fixture
async def instances(
    stack: StackInfo, control: ControlClient, identity_endpoint: None
) -> AsyncIterator[list[Azure]]:
    """As many function hosts would have them; each remembers by itself."""
    del identity_endpoint
    made = [Azure(settings_on(stack), pinned_network(stack)) for _ in range(INSTANCES)]
    yield made
    for one in made:
        await one.close()


@pytest.fixture
def vault_as_it_was(control: ControlClient) -> Iterator[None]:
    """The service of the stack must never get to know the versions that are made here."""
    yield
    control.post("/_sim/reset")


async def run_of_the_timer(stack: StackInfo, tenant: TenantId, *, ahead: timedelta) -> None:
    outside = rotating(stack, tenant)
    outside.ahead = ahead
    try:
        await Services(outside._settings, outside).rotate_keys()
    finally:
        await outside.close()


async def killed_run(stack: StackInfo, tenant: TenantId) -> int:
    """How a run of the timer ended that was killed amidst the values."""
    done = await asyncio.to_thread(
        subprocess.run,
        [
            *(sys.executable, "-m", "tests.attacks.rotating_worker"),
            *(str(stack.data / "stack.json"), tenant, str(KILL_AFTER)),
        ],
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    return done.returncode


async def versions_in(outside: Azure, tenant: TenantId) -> Counter[int]:
    found: Counter[int] = Counter()
    async for page in outside.sealed_values.pages(tenant):
        found.update(envelope.key_version_of(value.sealed) for value in page)
    return found


@pytest.mark.stack
@pytest.mark.usefixtures("vault_as_it_was")
async def test_C06_keys_rotate_while_64_clients_use_them_and_none_notices(
    stack: StackInfo, control: ControlClient, instances: list[Azure]
) -> None:
    first = instances[0]
    scene, names = SimulatedScene(first, control), [f"user{n}" for n in range(USERS)]
    org = {"org_id": scene.org, "instance_host": scene.host, "users": names}
    control.post("/_sim/salesforce/orgs", {**org, "flows": [{"name": FLOW}]})
    tid, services = str(uuid4()), [Services(one._settings, one) for one in instances]
    callers = [await connected(services[0], control, scene, tid, name) for name in names]
    tenant = callers[0].tenant
    (old,) = await first.tenant_keys.all(tenant)
    is_over, tally = asyncio.Event(), Tally()
    clients = [
        Client(caller=caller, services=services[n], outside=instances[n], tally=tally)
        for caller in callers
        for n in range(INSTANCES)
    ]
    began = time.monotonic()
    async with asyncio.TaskGroup() as running:
        for client in clients:
            running.create_task(client.work(is_over.is_set))
        ended = running.create_task(expiring(scene, names, is_over.is_set))
        try:
            told = await rotated_meanwhile(stack, control, first, tenant, tally)
        finally:
            is_over.set()
    seconds = time.monotonic() - began

    figures(tally, {**told, "access tokens ended": ended.result()}, seconds)
    assert tally.failed == {}
    assert len(clients) == 64
    assert min(tally.done.values()) > 0
    after = await first.tenant_keys.all(tenant)
    assert [key.retired_at is None for key in after] == [False, True]
    assert {key.kek_id for key in after} != {old.kek_id}
    assert len({key.kek_id for key in after}) == 1
    await everything_opens(stack, tenant, after[-1].version)


async def rotated_meanwhile(
    stack: StackInfo, control: ControlClient, outside: Azure, tenant: TenantId, tally: Tally
) -> dict[str, object]:
    """Both keys rotate, one run is killed, and further ones end what it had begun.

    They are hours apart: whatever a client had begun before one is over.
    """
    await asyncio.sleep(2)
    await asyncio.to_thread(control.post, "/_sim/keyvault/keys/rotate", {"name": "tenant-kek"})
    adding = rotating(stack, tenant)
    newest = await Services(adding._settings, adding).rotate_keys.add_key(tenant)
    await adding.close()
    made = time.monotonic()
    before = await versions_in(outside, tenant)
    code = await killed_run(stack, tenant)
    left = await versions_in(outside, tenant)
    assert code == -signal.SIGKILL
    assert len(left) == 2, left
    await asyncio.sleep(max(0.0, made + KNOWN_SECONDS - time.monotonic()))
    runs = 0
    while await outside.tenant_keys.floor(tenant) < newest:
        runs += 1
        assert runs <= 10
        await tally.drained()
        # By its own clock it comes when the dead holder's lease has lapsed.
        await run_of_the_timer(stack, tenant, ahead=timedelta(minutes=10 + runs))
    await asyncio.sleep(AFTERWARDS_SECONDS)
    return {
        "values before": sum(before.values()),
        "by the old key when the run was killed": sum(left.values()) - left[newest],
        "runs until the old key was retired": runs,
    }


async def everything_opens(stack: StackInfo, tenant: TenantId, version: int) -> None:
    fresh = rotating(stack, tenant)
    try:
        count = 0
        async for page in fresh.sealed_values.pages(tenant):
            for value in page:
                assert envelope.key_version_of(value.sealed) == version
                assert await fresh.vault.open(value.place, value.sealed)
                count += 1
        print(f"{count} values, all by the new key, all open")  # noqa: T201 - the figures
    finally:
        await fresh.close()


def figures(tally: Tally, told: dict[str, object], seconds: float) -> None:
    calls = f"{tally.done.total()} calls, {tally.failed.total()} failed"
    lines = [
        f"C-06: 64 clients, {INSTANCES} instances, {seconds:.0f} s, {calls}",
        f"  slowest: {tally.slowest:.1f} s",
        *(f"  {name}: {count}" for name, count in sorted(tally.done.items())),
        *(f"  {name}: {count}" for name, count in told.items()),
        *(f"  FAILED {name}: {count}" for name, count in tally.failed.items()),
    ]
    print("\n" + "\n".join(lines))  # noqa: T201 - for who asks with -s
