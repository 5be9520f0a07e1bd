"""What every tenant store promises: the fake, and the tables `tenants` and `tenantkeys`."""

import asyncio

import pytest

from shared import ports
from shared.model import TenantId, WrappedKey
from shared.outside import Azure
from shared.storage.tenant_keys import TableTenantKeyStore
from tests.contract.conftest import BOTH
from tests.contract.rows import EXACT, tenant_row
from tests.fakes.stores import MemoryTenantKeyStore

pytestmark = pytest.mark.usefixtures("admitted")


@pytest.fixture
def store(outside: ports.Outside) -> ports.TenantStore:
    return outside.tenants


@pytest.fixture(params=BOTH)
def keys(request: pytest.FixtureRequest) -> ports.TenantKeyStore:
    if request.param == "fake":
        return MemoryTenantKeyStore()
    azure: Azure = request.getfixturevalue("azure")
    return TableTenantKeyStore(azure._tables)


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


def wrapped_key(tenant: TenantId, version: int, wrapped: bytes = b"\x00\xff") -> WrappedKey:
    return WrappedKey(
        tenant=tenant, version=version, wrapped=wrapped, kek_id="kek/1", created_at=EXACT
    )


async def test_a_wrapped_key_comes_back_as_it_was_written(
    keys: ports.TenantKeyStore, tenant: TenantId
) -> None:
    assert await keys.create(wrapped_key(tenant, 1))

    assert await keys.load(tenant, 1) == wrapped_key(tenant, 1)
    assert await keys.load(tenant, 2) is None


async def test_version_ten_is_newer_than_version_nine(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await keys.create(wrapped_key(other_tenant, 11))
    for version in (9, 10, 1):
        await keys.create(wrapped_key(tenant, version))

    assert await keys.newest(tenant) == wrapped_key(tenant, 10)


async def test_a_tenant_without_keys_has_no_newest(
    keys: ports.TenantKeyStore, tenant: TenantId
) -> None:
    assert await keys.newest(tenant) is None


async def test_of_many_writers_of_one_version_one_key_remains(
    keys: ports.TenantKeyStore, tenant: TenantId
) -> None:
    rivals = [wrapped_key(tenant, 1, f"key {n}".encode()) for n in range(8)]

    created = await asyncio.gather(*(keys.create(key) for key in rivals))

    assert created.count(True) == 1
    assert await keys.load(tenant, 1) == rivals[created.index(True)]
