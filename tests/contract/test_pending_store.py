"""What every store of one-time codes promises: the fake, and the table `pending`."""

import asyncio
import hashlib

import pytest

from shared import ports
from shared.model import DataSubject, PendingKind, TenantId
from shared.outside import Azure
from tests.contract.rows import ALICE, BOB, LONGER, pending_row
from tests.contract.test_unreadable_rows import MISSING, spoil

DIGEST = hashlib.sha256(b"code").hexdigest()
OTHER = hashlib.sha256(b"another code").hexdigest()


@pytest.fixture
def store(outside: ports.Outside, admitted: None) -> ports.PendingStore:
    return outside.pending


@pytest.mark.parametrize("kind", list(PendingKind), ids=str)
async def test_what_was_put_is_taken_as_it_was(
    store: ports.PendingStore, tenant: TenantId, kind: PendingKind
) -> None:
    await store.put(pending_row(tenant, DIGEST, kind=kind))

    assert await store.take(tenant, kind, DIGEST) == pending_row(tenant, DIGEST, kind=kind)


async def test_a_code_is_taken_once(store: ports.PendingStore, tenant: TenantId) -> None:
    await store.put(pending_row(tenant, DIGEST))
    await store.take(tenant, PendingKind.TICKET, DIGEST)

    assert await store.take(tenant, PendingKind.TICKET, DIGEST) is None


async def test_of_32_takers_of_one_code_one_gets_it(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    await store.put(pending_row(tenant, DIGEST))

    taken = await asyncio.gather(
        *(store.take(tenant, PendingKind.TICKET, DIGEST) for _ in range(32))
    )

    assert [row for row in taken if row is not None] == [pending_row(tenant, DIGEST)]


async def test_taking_one_code_leaves_the_others(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    await store.put(pending_row(tenant, DIGEST))
    await store.put(pending_row(tenant, OTHER))
    await store.take(tenant, PendingKind.TICKET, DIGEST)

    assert await store.take(tenant, PendingKind.TICKET, OTHER) == pending_row(tenant, OTHER)


async def test_a_code_of_one_kind_is_none_of_another(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    await store.put(pending_row(tenant, DIGEST, kind=PendingKind.TICKET))

    assert await store.take(tenant, PendingKind.STATE, DIGEST) is None
    assert await store.take(tenant, PendingKind.TICKET, DIGEST) is not None


async def test_a_code_of_one_tenant_is_none_of_another(
    store: ports.PendingStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await store.put(pending_row(tenant, DIGEST))

    assert await store.take(other_tenant, PendingKind.TICKET, DIGEST) is None
    assert await store.take(tenant, PendingKind.TICKET, DIGEST) is not None


async def test_what_waits_is_listed_of_a_user_or_of_the_whole_tenant(
    store: ports.PendingStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    """Without the gates, and without the neighbour whose id begins alike."""
    own = [pending_row(tenant, DIGEST, kind=kind) for kind in PendingKind]
    theirs = [pending_row(tenant, f"{user}", user=user) for user in (BOB, LONGER)]
    for row in (*own, *theirs, pending_row(other_tenant, OTHER)):
        await store.put(row)

    of_alice, unreadable = await store.of_subject(DataSubject(tenant=tenant, user=ALICE))
    of_all, unreadable_of_all = await store.of_subject(DataSubject(tenant=tenant))

    assert list(of_alice) == sorted(own, key=lambda row: row.place.row_key)
    assert list(of_all) == sorted([*own, *theirs], key=lambda row: row.place.row_key)
    assert unreadable == unreadable_of_all == 0


async def test_where_nothing_waits_nothing_is_listed(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    """There are gates, though."""
    assert await store.of_subject(DataSubject(tenant=tenant)) == ([], 0)
    assert await store.of_subject(DataSubject(tenant=tenant, user=ALICE)) == ([], 0)


async def test_what_is_deleted_is_gone_and_nothing_else(
    store: ports.PendingStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for row in (
        pending_row(tenant, DIGEST),
        pending_row(tenant, OTHER),
        pending_row(tenant, DIGEST, kind=PendingKind.PARKED),
        pending_row(other_tenant, DIGEST),
    ):
        await store.put(row)

    await store.delete(pending_row(tenant, DIGEST))
    await store.delete(pending_row(tenant, DIGEST))

    left, _ = await store.of_subject(DataSubject(tenant=tenant))
    assert [row.place.row_key for row in left] == [f"parked|{DIGEST}", f"ticket|{OTHER}"]
    assert await store.take(tenant, PendingKind.TICKET, DIGEST) is None
    assert await store.take(other_tenant, PendingKind.TICKET, DIGEST) is not None


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize(
    ("column", "to"),
    [("sealed", MISSING), ("sealed", "text"), ("expires_at", MISSING), ("expires_at", "never")],
)
async def test_d12_what_cannot_be_read_is_counted_and_hides_nothing(
    azure: Azure, tenant: TenantId, column: str, to: object
) -> None:
    await azure.pending.put(pending_row(tenant, DIGEST))
    await azure.pending.put(pending_row(tenant, OTHER))
    await spoil(azure, "pending", f"ticket|{DIGEST}", tenant, column, to)

    for user in (ALICE, None):
        found, unreadable = await azure.pending.of_subject(DataSubject(tenant=tenant, user=user))
        assert (list(found), unreadable) == ([pending_row(tenant, OTHER)], 1)


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
async def test_d12_a_row_of_no_known_kind_or_of_nobody_is_counted_for_the_tenant(
    azure: Azure, tenant: TenantId
) -> None:
    table = azure._tables.for_restoring("pending")
    await table.create_entity({"PartitionKey": str(tenant), "RowKey": "unheard|of"})
    await azure.pending.put(pending_row(tenant, DIGEST))
    await spoil(azure, "pending", f"ticket|{DIGEST}", tenant, "user_id", MISSING)

    assert await azure.pending.of_subject(DataSubject(tenant=tenant)) == ([], 2)
    assert await azure.pending.of_subject(DataSubject(tenant=tenant, user=ALICE)) == ([], 0)
