"""What every connection store promises: the fake, and the table `connections`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import ports
from shared.model import Connection, Health, TenantId
from tests.contract.rows import ALICE, BOB, EXACT, LONGER, connection_row
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG

pytestmark = pytest.mark.usefixtures("admitted")


@pytest.fixture
def store(outside: ports.Outside) -> ports.ConnectionStore:
    return outside.connections


async def stored(store: ports.ConnectionStore, tenant: TenantId) -> Connection:
    """A row in the store, as read."""
    assert await store.create(connection_row(tenant))
    found = await store.load(tenant, ALICE, CONTOSO_ORG)
    assert found is not None
    return found


async def test_a_connection_comes_back_as_written(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    found = await stored(store, tenant)

    assert found == connection_row(tenant)
    assert found.etag


async def test_every_column_comes_back_as_written(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    changed = replace(
        await stored(store, tenant),
        health=Health.ROTATION_LOST,
        generation=2**31 - 1,
        sealed_grant=bytes(range(256)),
        consent="of another day",
        refreshed_at=EXACT + timedelta(microseconds=1),
        last_used_day="2026-12-31",
        lease_holder="0123456789abcdef",
        lease_until=EXACT,
        answer_lost=True,
        ended_at=EXACT + timedelta(days=1),
    )

    written = await store.replace(changed)

    assert written == changed
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == changed


async def test_a_lease_that_is_given_back_leaves_nothing(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    leased = await store.replace(replace(row, lease_holder="holder", lease_until=EXACT))
    assert leased is not None

    await store.replace(replace(leased, lease_holder=None, lease_until=None))

    assert await store.load(tenant, ALICE, CONTOSO_ORG) == row


async def test_of_an_answer_that_came_after_all_nothing_is_left(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    lost = await store.replace(replace(row, answer_lost=True))
    assert lost is not None
    assert (await store.of_user(tenant, ALICE))[0].answer_lost

    await store.replace(replace(lost, answer_lost=False))

    assert await store.load(tenant, ALICE, CONTOSO_ORG) == row


async def test_a_second_connection_to_the_same_org_is_not_created(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)

    assert not await store.create(connection_row(tenant, sealed=b"second"))
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == row


async def test_what_was_written_can_be_replaced_again_without_reading(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    first = await store.replace(replace(await stored(store, tenant), generation=2))
    assert first is not None

    second = await store.replace(replace(first, generation=3))

    assert second is not None
    assert second.etag != first.etag
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == replace(first, generation=3)


async def test_a_row_that_changed_since_it_was_read_is_not_replaced(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    newer = await store.replace(replace(row, generation=2))

    assert await store.replace(replace(row, generation=9)) is None
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == newer


async def test_a_row_that_is_gone_is_not_written_back(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    assert await store.delete(row)

    assert await store.replace(replace(row, generation=2)) is None
    assert await store.load(tenant, ALICE, CONTOSO_ORG) is None


async def test_a_row_that_is_gone_and_made_again_is_not_replaced(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    await store.delete(row)
    again = await stored(store, tenant)

    assert await store.replace(replace(row, generation=2)) is None
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == again


async def test_d01_of_32_writers_with_one_etag_one_wins(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    rivals = [replace(row, lease_holder=f"holder-{n}", lease_until=EXACT) for n in range(32)]

    written = await asyncio.gather(*(store.replace(rival) for rival in rivals))

    (winner,) = [row for row in written if row is not None]
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == winner


async def test_a_row_is_deleted_once_however_many_delete_it(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)

    deleted = await asyncio.gather(*(store.delete(row) for _ in range(8)))

    assert deleted.count(True) == 1


async def test_a_row_that_changed_since_it_was_read_is_not_deleted(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    newer = await store.replace(replace(row, generation=2))

    assert not await store.delete(row)
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == newer


async def test_the_connections_of_a_user_are_those_of_that_user_in_that_tenant(
    store: ports.ConnectionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for row in (
        connection_row(tenant, ALICE, FABRIKAM_ORG),
        connection_row(tenant, ALICE, CONTOSO_ORG),
        connection_row(tenant, BOB),
        connection_row(tenant, LONGER),
        connection_row(other_tenant, ALICE),
    ):
        await store.create(row)

    assert await store.of_user(tenant, ALICE) == [
        connection_row(tenant, ALICE, CONTOSO_ORG),
        connection_row(tenant, ALICE, FABRIKAM_ORG),
    ]


async def test_a_user_without_connections_has_none(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    assert list(await store.of_user(tenant, ALICE)) == []


async def test_what_was_listed_can_be_replaced(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    await stored(store, tenant)
    (listed,) = await store.of_user(tenant, ALICE)

    assert await store.replace(replace(listed, generation=2)) is not None
