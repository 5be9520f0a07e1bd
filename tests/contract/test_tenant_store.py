"""What every tenant store promises: the fake, and the table `tenants`."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from shared import ports
from shared.model import TenantId, TenantStatus
from tests.contract.rows import tenant_row

pytestmark = pytest.mark.usefixtures("admitted")


@pytest.fixture
def store(outside: ports.Outside) -> ports.TenantStore:
    return outside.tenants


async def test_a_tenant_comes_back_as_it_was_written(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    assert await store.create(tenant_row(tenant))

    found = await store.load(tenant)

    assert found == tenant_row(tenant)
    assert found.etag


async def test_an_unknown_tenant_is_none(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await store.create(tenant_row(other_tenant))

    assert await store.load(tenant) is None


async def test_of_many_first_sign_ins_one_creates_the_tenant(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    rows = [tenant_row(tenant, directory=f"sealed {n}".encode()) for n in range(8)]

    created = await asyncio.gather(*(store.create(row) for row in rows))

    assert created.count(True) == 1
    assert await store.load(tenant) == rows[created.index(True)]


async def test_the_first_name_of_a_flow_stays(store: ports.TenantStore, tenant: TenantId) -> None:
    await store.remember_flow_name(tenant, "f-one", b"first")
    await store.remember_flow_name(tenant, "f-one", b"second")
    await store.remember_flow_name(tenant, "f-two", b"\x00\xff")

    assert await store.sealed_flow_names(tenant) == {"f-one": b"first", "f-two": b"\x00\xff"}


async def test_flow_names_are_those_of_the_tenant_alone(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await store.create(tenant_row(tenant))
    await store.remember_flow_name(other_tenant, "f-one", b"theirs")

    assert await store.sealed_flow_names(tenant) == {}


async def test_the_tenants_are_all_that_have_a_row_and_no_others(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    """A Flow name, a gate or a change of settings makes no tenant."""
    await store.create(tenant_row(tenant))
    await store.remember_flow_name(other_tenant, "f-one", b"theirs")
    assert other_tenant not in await store.ids()

    await store.create(tenant_row(other_tenant))
    await store.begin_deletion(other_tenant)

    found = list(await store.ids())
    assert {tenant, other_tenant} <= set(found)
    assert len(found) == len(set(found))


async def test_the_tombstone_ends_every_session_and_changes_nothing_else(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await store.create(tenant_row(owner))

    await store.begin_deletion(tenant)

    expected = replace(tenant_row(tenant), status=TenantStatus.DELETING, epoch=1)
    assert await store.load(tenant) == expected
    assert not expected.is_active
    assert await store.load(other_tenant) == tenant_row(other_tenant)


async def test_of_tombstones_at_once_each_is_set(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    await store.create(tenant_row(tenant))

    await asyncio.gather(*(store.begin_deletion(tenant) for _ in range(4)))

    found = await store.load(tenant)
    assert found is not None
    assert (found.status, found.epoch) == (TenantStatus.DELETING, 4)


async def test_a_tombstone_for_a_tenant_that_is_gone_is_no_error_and_makes_none(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    await store.begin_deletion(tenant)

    assert await store.load(tenant) is None


async def test_another_status_ends_every_session_and_changes_nothing_else(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await store.create(tenant_row(owner))

    assert await store.change_status(tenant, TenantStatus.DISABLED) is TenantStatus.ACTIVE

    suspended = replace(tenant_row(tenant), status=TenantStatus.DISABLED, epoch=1)
    assert await store.load(tenant) == suspended
    assert not suspended.is_active
    assert await store.change_status(tenant, TenantStatus.ACTIVE) is TenantStatus.DISABLED
    assert await store.load(tenant) == replace(tenant_row(tenant), epoch=2)
    assert await store.load(other_tenant) == tenant_row(other_tenant)


async def test_of_many_who_set_the_same_status_one_does(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    await store.create(tenant_row(tenant))

    before = await asyncio.gather(
        *(store.change_status(tenant, TenantStatus.DISABLED) for _ in range(4))
    )

    assert Counter(before) == {TenantStatus.ACTIVE: 1, TenantStatus.DISABLED: 3}
    found = await store.load(tenant)
    assert found is not None
    assert found.epoch == 1


@pytest.mark.parametrize("status", [TenantStatus.ACTIVE, TenantStatus.DISABLED])
async def test_no_status_takes_a_tombstone_away(
    store: ports.TenantStore, tenant: TenantId, status: TenantStatus
) -> None:
    await store.create(tenant_row(tenant))
    await store.begin_deletion(tenant)

    assert await store.change_status(tenant, status) is TenantStatus.DELETING

    found = await store.load(tenant)
    assert found is not None
    assert (found.status, found.epoch) == (TenantStatus.DELETING, 1)


async def test_a_tenant_that_is_gone_gets_no_status(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    assert await store.change_status(tenant, TenantStatus.DISABLED) is None
    assert await store.load(tenant) is None
