"""What every user store promises: the fake, and the table `users`."""

import asyncio
from dataclasses import replace

import pytest

from shared import ports
from shared.model import TenantId
from tests.contract.rows import ALICE, BOB, user_row

pytestmark = pytest.mark.usefixtures("admitted")


@pytest.fixture
def store(outside: ports.Outside) -> ports.UserStore:
    return outside.users


async def test_a_user_comes_back_as_written(store: ports.UserStore, tenant: TenantId) -> None:
    assert await store.create(user_row(tenant))

    assert await store.load(tenant, ALICE) == user_row(tenant)
    assert await store.load(tenant, BOB) is None


async def test_a_user_is_found_in_its_own_tenant_alone(
    store: ports.UserStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await store.create(user_row(tenant))

    assert await store.load(other_tenant, ALICE) is None


async def test_of_many_first_sign_ins_one_creates_the_user(
    store: ports.UserStore, tenant: TenantId
) -> None:
    rows = [user_row(tenant, sealed=f"sealed {n}".encode()) for n in range(8)]

    created = await asyncio.gather(*(store.create(row) for row in rows))

    assert created.count(True) == 1
    assert await store.load(tenant, ALICE) == rows[created.index(True)]


async def test_seeing_a_user_changes_the_day_and_nothing_else(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.create(user_row(tenant))

    await store.saw(tenant, ALICE, "2026-01-16")

    assert await store.load(tenant, ALICE) == replace(user_row(tenant), last_seen_day="2026-01-16")


async def test_seeing_a_user_who_is_gone_creates_none(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.saw(tenant, ALICE, "2026-01-16")

    assert await store.load(tenant, ALICE) is None


async def test_ending_sessions_moves_the_epoch_on_and_nothing_else(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.create(user_row(tenant))

    await store.end_sessions(tenant, ALICE)

    assert await store.load(tenant, ALICE) == replace(user_row(tenant), epoch=1)


async def test_of_sign_outs_at_once_none_is_lost(store: ports.UserStore, tenant: TenantId) -> None:
    await store.create(user_row(tenant))

    await asyncio.gather(*(store.end_sessions(tenant, ALICE) for _ in range(4)))

    found = await store.load(tenant, ALICE)
    assert found is not None
    assert found.epoch == 4


async def test_ending_sessions_of_nobody_is_no_error(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.end_sessions(tenant, ALICE)

    assert await store.load(tenant, ALICE) is None


async def test_the_tombstone_ends_every_session_and_changes_nothing_else(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.create(user_row(tenant))
    await store.create(user_row(tenant, BOB))

    await store.begin_deletion(tenant, ALICE)

    assert await store.load(tenant, ALICE) == replace(user_row(tenant), epoch=1, is_leaving=True)
    assert await store.load(tenant, BOB) == user_row(tenant, BOB)


async def test_the_tombstone_stays_whatever_is_written_after_it(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.create(user_row(tenant))
    await store.begin_deletion(tenant, ALICE)

    await store.saw(tenant, ALICE, "2026-01-16")
    await store.end_sessions(tenant, ALICE)
    assert not await store.create(user_row(tenant))

    assert await store.load(tenant, ALICE) == replace(
        user_row(tenant), epoch=2, is_leaving=True, last_seen_day="2026-01-16"
    )


async def test_a_tombstone_for_a_user_who_is_gone_is_no_error_and_makes_none(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.begin_deletion(tenant, ALICE)

    assert await store.load(tenant, ALICE) is None


async def test_of_tombstones_and_sign_outs_at_once_none_is_lost(
    store: ports.UserStore, tenant: TenantId
) -> None:
    await store.create(user_row(tenant))

    await asyncio.gather(
        store.begin_deletion(tenant, ALICE),
        store.end_sessions(tenant, ALICE),
        store.begin_deletion(tenant, ALICE),
        store.end_sessions(tenant, ALICE),
    )

    assert await store.load(tenant, ALICE) == replace(user_row(tenant), epoch=4, is_leaving=True)
