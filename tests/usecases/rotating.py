"""A tenant with a value in every sealed column, and what has become of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from shared.crypto import envelope
from shared.model import Caller, DiscardedGrant, TenantId
from shared.model.places import SealedValue
from tests.fakes import World
from tests.fakes.faults import Faults
from tests.usecases.invoking import invocation, run

type Key = tuple[str, str, str]
"""Table, row key, column."""


async def tenant_with_values(world: World, name: str = "alice") -> Caller:
    """Signed in, connected, with the name of a Flow, a one-time code, and a discarded grant."""
    caller = await world.signed_in(name)
    await world.connect(caller)
    await run(world, caller, invocation())
    await world.services.begin_connection(caller, None, None)
    (row,) = [row for row in world.connections.rows.values() if row.user == caller.user]
    await world.outbox.put(DiscardedGrant.of(row, world.clock()))
    return caller


async def rotate(world: World) -> None:
    """As the timer does, on an instance that remembers nothing."""
    await world.another_instance().services.rotate_keys()


async def rotate_hourly(world: World, hours: int) -> None:
    for _ in range(hours):
        world.clock.move(hours=1)
        await rotate(world)


async def sealed(world: World, tenant: TenantId) -> list[SealedValue]:
    return [value async for page in world.sealed_values.pages(tenant) for value in page]


async def versions(world: World, tenant: TenantId) -> set[int]:
    """The data keys by which anything is sealed."""
    return {envelope.key_version_of(value.sealed) for value in await sealed(world, tenant)}


async def opened(world: World, tenant: TenantId) -> Mapping[Key, bytes]:
    """Everything, in clear, as an instance opens it that remembers nothing."""
    vault = world.another_instance().vault
    return {
        (value.table, value.row_key, value.column): await vault.open(value.place, value.sealed)
        for value in await sealed(world, tenant)
    }


def keys(world: World, tenant: TenantId) -> list[int]:
    return sorted(version for owner, version in world.tenant_keys.rows if owner == tenant)


def retired(world: World, tenant: TenantId) -> list[int]:
    rows = world.tenant_keys.rows.items()
    return sorted(v for (owner, v), key in rows if owner == tenant and key.retired_at is not None)


def floor(world: World, tenant: TenantId) -> int:
    return world.tenants.rows[tenant].floor_key_version


class _Fake(Protocol):
    faults: Faults


class Killed(BaseException):
    """The process was killed: nothing catches this, and nothing more is carried out."""


class KillAt(Faults):
    """Kills whoever makes the call of this number, before or (`carried_out`) after its effect."""

    def __init__(self, number: int, *, carried_out: bool) -> None:
        super().__init__()
        self._number, self._is_carried_out = number, carried_out
        self.calls: list[str] = []
        self.has_killed = False

    @asynccontextmanager
    async def call(self, method: str) -> AsyncIterator[None]:
        self.calls.append(method)
        is_the_one = len(self.calls) == self._number
        if self.has_killed or (is_the_one and not self._is_carried_out):
            self.has_killed = True
            raise Killed
        async with super().call(method):
            yield
        if is_the_one:
            self.has_killed = True
            raise Killed


@asynccontextmanager
async def killing(world: World, kill: KillAt) -> AsyncIterator[None]:
    """Everything that a rotation calls is under this one count."""
    fakes: Sequence[_Fake] = (
        world.tenants,
        world.tenant_keys,
        world.leases,
        world.sealed_values,
        world.backups,
        world.key_wrapper,
    )
    before = [fake.faults for fake in fakes]
    for fake in fakes:
        fake.faults = kill
    try:
        yield
    except Killed:
        assert kill.has_killed
    finally:
        for fake, faults in zip(fakes, before, strict=True):
            fake.faults = faults
