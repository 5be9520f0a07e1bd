"""What every store of wrapped data keys promises: the fake, and the table `tenantkeys`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import ports
from shared.model import TenantId
from tests.contract.rows import EXACT, tenant_row, wrapped_key

NOW = 1_768_480_215
"""A version as the vault makes them: the time in seconds."""


@pytest.fixture
def keys(outside: ports.Outside) -> ports.TenantKeyStore:
    return outside.tenant_keys


@pytest.mark.parametrize("version", [1, NOW, 2**32 - 1])
async def test_a_wrapped_key_comes_back_as_it_was_written(
    keys: ports.TenantKeyStore, tenant: TenantId, version: int
) -> None:
    assert await keys.create(wrapped_key(tenant, version))

    assert await keys.all(tenant) == [wrapped_key(tenant, version)]


async def test_a_tenant_without_keys_has_none(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await keys.create(wrapped_key(other_tenant, 1))

    assert list(await keys.all(tenant)) == []


async def test_keys_are_listed_oldest_first_and_version_ten_is_newer_than_nine(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await keys.create(wrapped_key(other_tenant, 11))
    for version in (9, NOW, 10, 1):
        await keys.create(wrapped_key(tenant, version))

    assert [key.version for key in await keys.all(tenant)] == [1, 9, 10, NOW]


async def test_of_many_writers_of_one_version_one_key_remains(
    keys: ports.TenantKeyStore, tenant: TenantId
) -> None:
    rivals = [wrapped_key(tenant, NOW, f"key {n}".encode()) for n in range(8)]

    created = await asyncio.gather(*(keys.create(key) for key in rivals))

    assert created.count(True) == 1
    assert await keys.all(tenant) == [rivals[created.index(True)]]


async def test_a_key_is_wrapped_anew_and_stays_the_version_it_is(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await keys.create(wrapped_key(owner, 1))
        await keys.create(wrapped_key(owner, 2))
    anew = replace(wrapped_key(tenant, 1, b"anew"), kek_id="kek/2")

    assert await keys.rewrap(replace(anew, created_at=EXACT + timedelta(days=1)))

    assert await keys.all(tenant) == [anew, wrapped_key(tenant, 2)]
    assert await keys.all(other_tenant) == [
        wrapped_key(other_tenant, 1),
        wrapped_key(other_tenant, 2),
    ]


async def test_c07_a_destroyed_key_is_not_brought_back_by_wrapping_it_anew(
    keys: ports.TenantKeyStore, tenant: TenantId
) -> None:
    await keys.create(wrapped_key(tenant, 1))
    await keys.destroy(tenant)

    assert not await keys.rewrap(wrapped_key(tenant, 1, b"anew"))
    assert list(await keys.all(tenant)) == []


async def test_c07_every_version_of_a_tenant_is_destroyed_and_no_other_tenants(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for version in (1, 2, NOW):
        await keys.create(wrapped_key(tenant, version))
    await keys.create(wrapped_key(other_tenant, 1))

    await keys.destroy(tenant)
    await keys.destroy(tenant)

    assert list(await keys.all(tenant)) == []
    assert await keys.all(other_tenant) == [wrapped_key(other_tenant, 1)]


async def test_a_retired_key_says_since_when_and_is_still_there(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await keys.create(wrapped_key(owner, 1))
        await keys.create(wrapped_key(owner, 2))

    await keys.retire(tenant, 1, at=EXACT)

    assert await keys.all(tenant) == [
        replace(wrapped_key(tenant, 1), retired_at=EXACT),
        wrapped_key(tenant, 2),
    ]
    assert [key.retired_at for key in await keys.all(other_tenant)] == [None, None]


async def test_wrapping_a_retired_key_anew_leaves_it_retired(
    keys: ports.TenantKeyStore, tenant: TenantId
) -> None:
    await keys.create(wrapped_key(tenant, 1))
    await keys.retire(tenant, 1, at=EXACT)

    assert await keys.rewrap(wrapped_key(tenant, 1, b"anew"))

    assert await keys.all(tenant) == [
        replace(wrapped_key(tenant, 1, b"anew"), retired_at=EXACT),
    ]


async def test_c07_a_destroyed_version_is_not_brought_back_by_retiring_it(
    keys: ports.TenantKeyStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await keys.create(wrapped_key(owner, 1))
        await keys.create(wrapped_key(owner, 2))

    await keys.destroy_version(tenant, 1)
    await keys.destroy_version(tenant, 1)
    await keys.retire(tenant, 1, at=EXACT)

    assert await keys.all(tenant) == [wrapped_key(tenant, 2)]
    assert len(await keys.all(other_tenant)) == 2


# --- the floor -----------------------------------------------------------------------------------


async def test_a_tenant_without_a_row_has_no_floor_and_gets_none(
    keys: ports.TenantKeyStore, outside: ports.Outside, tenant: TenantId
) -> None:
    await keys.raise_floor(tenant, NOW)

    assert await keys.floor(tenant) == 0
    assert await outside.tenants.load(tenant) is None


async def test_c01_the_floor_rises_and_never_falls(
    keys: ports.TenantKeyStore, outside: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await outside.tenants.create(tenant_row(owner))

    for version, floor in ((NOW, NOW), (NOW - 1, NOW), (1, NOW), (NOW + 1, NOW + 1)):
        await keys.raise_floor(tenant, version)
        assert await keys.floor(tenant) == floor

    assert await keys.floor(other_tenant) == 1
    found = await outside.tenants.load(tenant)
    assert found == replace(tenant_row(tenant), floor_key_version=NOW + 1)


async def test_of_many_who_raise_the_floor_the_highest_wins(
    keys: ports.TenantKeyStore, outside: ports.Outside, tenant: TenantId
) -> None:
    await outside.tenants.create(tenant_row(tenant))

    await asyncio.gather(*(keys.raise_floor(tenant, NOW + n) for n in (2, 3, 1)))

    assert await keys.floor(tenant) == NOW + 3
