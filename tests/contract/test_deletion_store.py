"""What every store of deletions promises: the fake, and the table `deletions`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import Deletion, DeletionScope, DeletionState, TenantId, UserId
from shared.outside import Azure
from tests.contract.rows import ALICE, BOB, EXACT, deletion_row
from tests.contract.test_unreadable_rows import MISSING, spoil


@pytest.fixture
def store(outside: ports.Outside) -> ports.DeletionStore:
    return outside.deletions


async def stored(store: ports.DeletionStore, row: Deletion) -> Deletion:
    """A row in the store, as read."""
    assert await store.create(row)
    found = await store.load(row.tenant, row.id)
    assert found is not None
    return found


async def open_of(store: ports.DeletionStore, *tenants: TenantId) -> list[Deletion]:
    """The stack is shared by all tests: there are deletions of others."""
    found = [row for row in await store.open_ones() if row.tenant in tenants]
    return sorted(found, key=lambda row: row.id)


@pytest.mark.parametrize("user", [ALICE, None], ids=["of-a-user", "of-the-tenant"])
async def test_a_deletion_comes_back_as_written(
    store: ports.DeletionStore, tenant: TenantId, user: UserId | None
) -> None:
    row = deletion_row(tenant, "one", user=user)

    found = await stored(store, row)

    assert found == row
    assert found.etag


async def test_every_column_comes_back_as_written(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    row = replace(
        deletion_row(tenant, "one", state=DeletionState.VERIFIED),
        requested_by=BOB,
        subject_sha256="5" * 64,
        rows={"users": 1, "runs": 2**31 + 1, "pending": 0},
        revocations={"revoked": 3, "not_confirmed": 1},
        keys_destroyed=("v1 (wrapped by kek/1)", "v2 (wrapped by kek/2)"),
        next_try_at=EXACT,
        is_overdue=True,
        receipt="eyJ.eyJ.sig" * 500,
    )

    assert await stored(store, row) == row


@pytest.mark.parametrize("state", list(DeletionState), ids=str)
async def test_it_moves_on_and_is_as_answered(
    store: ports.DeletionStore, tenant: TenantId, state: DeletionState
) -> None:
    row = await stored(store, deletion_row(tenant, "one"))
    further = replace(deletion_row(tenant, "one", state=state), etag=row.etag)

    written = await store.replace(further)

    assert written == further
    assert written.etag != row.etag
    assert await store.load(tenant, "d-one") == further


async def test_what_is_dropped_with_the_receipt_is_gone(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    row = replace(deletion_row(tenant, "one"), next_try_at=EXACT, subject_sha256="5" * 64)
    before = await stored(store, row)
    done = replace(
        deletion_row(tenant, "one", state=DeletionState.RECEIPTED),
        user=None,
        scope=DeletionScope.USER,
        requested_by="",
        code_digest="",
        etag=before.etag,
    )

    await store.replace(done)

    assert await store.load(tenant, "d-one") == done


async def test_a_deletion_is_created_once(store: ports.DeletionStore, tenant: TenantId) -> None:
    row = deletion_row(tenant, "one")
    rivals = [replace(row, requested_by=f"u-{n}") for n in range(8)]

    created = await asyncio.gather(*(store.create(rival) for rival in rivals))

    assert created.count(True) == 1
    assert await store.load(tenant, "d-one") == rivals[created.index(True)]


async def test_a_deletion_of_another_tenant_or_name_is_none(
    store: ports.DeletionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await store.create(deletion_row(tenant, "one"))

    assert await store.load(other_tenant, "d-one") is None
    assert await store.load(tenant, "d-two") is None


async def test_of_32_workers_with_one_etag_one_moves_it_on(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    row = await stored(store, deletion_row(tenant, "one"))
    rivals = [replace(row, requested_by=f"u-{n}") for n in range(32)]

    written = await asyncio.gather(*(store.replace(rival) for rival in rivals))

    (winner,) = [row for row in written if row is not None]
    assert await store.load(tenant, "d-one") == winner


async def test_what_changed_since_it_was_read_is_neither_replaced_nor_deleted(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    row = await stored(store, deletion_row(tenant, "one"))
    newer = await store.replace(replace(row, is_overdue=True))

    assert await store.replace(replace(row, requested_by="late")) is None
    assert not await store.delete(row)
    assert await store.load(tenant, "d-one") == newer


async def test_what_is_gone_is_not_written_back(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    row = await stored(store, deletion_row(tenant, "one"))
    assert await store.delete(row)

    assert not await store.delete(row)
    assert await store.replace(row) is None
    assert await store.load(tenant, "d-one") is None


async def test_the_deletions_of_a_tenant_are_all_of_its_own(
    store: ports.DeletionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    done = deletion_row(tenant, "a", state=DeletionState.RECEIPTED)
    asked = deletion_row(tenant, "b", user=None)
    for row in (done, asked, deletion_row(other_tenant, "c")):
        await store.create(row)

    assert await store.of_tenant(tenant) == [done, asked]
    assert list(await store.of_tenant(TenantId(f"{tenant}x"))) == []


async def test_open_are_those_of_all_tenants_that_have_no_receipt(
    store: ports.DeletionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    rows = {state: deletion_row(tenant, f"a-{state.value}", state=state) for state in DeletionState}
    for row in (*rows.values(), deletion_row(other_tenant, "b", user=None)):
        await store.create(row)
    del rows[DeletionState.RECEIPTED]

    assert await open_of(store, tenant, other_tenant) == [
        *sorted(rows.values(), key=lambda row: row.id),
        deletion_row(other_tenant, "b", user=None),
    ]


async def test_what_was_listed_can_be_moved_on(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    await store.create(deletion_row(tenant, "one"))
    (listed,) = await open_of(store, tenant)
    (same,) = await store.of_tenant(tenant)

    assert same.etag == listed.etag
    assert await store.replace(replace(listed, is_overdue=True)) is not None


async def test_old_receipts_are_found_to_the_millisecond_and_nothing_else(
    store: ports.DeletionStore, tenant: TenantId
) -> None:
    """Long before any other test's, because it goes through all tenants."""
    then = EXACT - timedelta(days=9_999)
    for name, later in (("a", -1), ("b", 0), ("c", 1)):
        row = deletion_row(tenant, name, state=DeletionState.RECEIPTED)
        done_at = then + timedelta(milliseconds=later)
        await store.create(replace(row, times={**row.times, DeletionState.RECEIPTED: done_at}))
    verified = deletion_row(tenant, "d", state=DeletionState.VERIFIED)
    await store.create(replace(verified, times=dict.fromkeys(verified.times, then)))

    assert [row.id for row in await store.receipted(before=then)] == ["d-a", "d-b"]


UNREADABLE = pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("user_id", MISSING, id="a-users-deletion-of-no-user"),
        pytest.param("scope", "tenant", id="a-tenants-deletion-of-a-user"),
        pytest.param("scope", MISSING, id="no-scope"),
        pytest.param("state", "unheard-of", id="state-of-a-future-version"),
        pytest.param("state", "fenced", id="a-state-without-its-time"),
        pytest.param("times", MISSING, id="no-times"),
        pytest.param("times", "{", id="times-are-no-json"),
        pytest.param("times", "[]", id="times-are-no-object"),
        pytest.param("times", "{}", id="times-are-none"),
        pytest.param("times", '{"requested": "yesterday"}', id="a-time-that-is-none"),
        pytest.param("times", '{"requested": 5}', id="a-time-that-is-a-number"),
        pytest.param("times", 5, id="times-are-a-number"),
        pytest.param("row_counts", "[]", id="counts-are-no-object"),
        pytest.param("revocations", "5", id="revocations-are-no-object"),
        pytest.param("keys_destroyed", "5", id="keys-are-no-list"),
        pytest.param("code_digest", MISSING, id="no-code"),
        pytest.param("is_overdue", MISSING, id="not-said-whether-overdue"),
        pytest.param("next_try_at", "soon", id="next-try-is-no-time"),
    ],
)


@pytest.mark.stack
@UNREADABLE
async def test_d12_an_unreadable_deletion_fails_and_holds_up_no_other(
    azure: Azure, tenant: TenantId, other_tenant: TenantId, column: str, to: object
) -> None:
    await azure.deletions.create(replace(deletion_row(tenant, "one"), next_try_at=EXACT))
    await azure.deletions.create(deletion_row(other_tenant, "two"))
    await spoil(azure, "deletions", "d-one", tenant, column, to)

    with pytest.raises(StorageFailedError):
        await azure.deletions.load(tenant, "d-one")
    with pytest.raises(StorageFailedError):
        await azure.deletions.of_tenant(tenant)
    assert await open_of(azure.deletions, tenant, other_tenant) == [
        deletion_row(other_tenant, "two")
    ]


@pytest.mark.stack
@pytest.mark.parametrize("to", [MISSING, "1990", 5], ids=["missing", "text", "number"])
async def test_d12_a_receipt_whose_time_cannot_be_read_is_kept(
    azure: Azure, tenant: TenantId, to: object
) -> None:
    row = deletion_row(tenant, "one", state=DeletionState.RECEIPTED)
    await azure.deletions.create(row)
    await spoil(azure, "deletions", "d-one", tenant, "receipted_at", to)

    old = await azure.deletions.receipted(before=EXACT - timedelta(days=9_999))

    assert [one for one in old if one.tenant == tenant] == []
    assert await azure.deletions.load(tenant, "d-one") == row
