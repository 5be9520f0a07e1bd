"""How a parked grant is claimed, and what taking it means meanwhile: the fake, and the table
`pending`."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from azure.data.tables.aio import TableClient

from shared import ports
from shared.errors import StorageFailedError
from shared.model import DataSubject, Pending, PendingKind, TenantId
from shared.outside import Azure
from shared.storage.pending import TablePendingStore
from shared.storage.tables import Entity, Tables, merge
from tests.contract.rows import ALICE, EXACT, pending_row
from tests.contract.test_unreadable_rows import MISSING, spoil
from tests.fakes import NOON

DIGEST = hashlib.sha256(b"code").hexdigest()
OTHER = hashlib.sha256(b"another code").hexdigest()


@pytest.fixture
def store(outside: ports.Outside, admitted: None) -> ports.PendingStore:
    return outside.pending


def parked(tenant: TenantId, digest: str = DIGEST) -> Pending:
    return pending_row(tenant, digest, kind=PendingKind.PARKED)


async def listed(store: ports.PendingStore, tenant: TenantId) -> list[Pending]:
    found, unreadable = await store.of_subject(DataSubject(tenant=tenant, user=ALICE))
    assert unreadable == 0
    return list(found)


async def test_what_is_claimed_is_handed_out_and_stays_and_says_since_when(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    await store.put(parked(tenant))
    claimed = replace(parked(tenant), claimed_at=NOON)

    assert await store.claim(tenant, DIGEST, at=NOON) == claimed

    assert await listed(store, tenant) == [claimed]


async def test_of_32_who_claim_at_once_one_gets_it(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    """At different times, and the row says which of them it was."""
    await store.put(parked(tenant))
    times = [NOON + timedelta(seconds=n) for n in range(32)]

    claims = await asyncio.gather(*(store.claim(tenant, DIGEST, at=at) for at in times))

    (winner,) = [row for row in claims if row is not None]
    assert winner.claimed_at == times[claims.index(winner)]
    assert await listed(store, tenant) == [winner]


async def test_what_is_claimed_is_claimed_whatever_the_time(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    await store.put(parked(tenant))
    first = await store.claim(tenant, DIGEST, at=NOON)

    for at in (NOON, NOON + timedelta(days=365)):
        assert await store.claim(tenant, DIGEST, at=at) is None

    assert await listed(store, tenant) == [first]


async def test_what_has_expired_is_claimed_all_the_same_and_by_one_alone(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    """Else the timer could not keep it from being activated while it revokes."""
    await store.put(parked(tenant))
    late = EXACT + timedelta(days=1)

    claims = await asyncio.gather(*(store.claim(tenant, DIGEST, at=late) for _ in range(32)))

    assert [row for row in claims if row] == [replace(parked(tenant), claimed_at=late)]


async def test_a_parked_grant_alone_is_claimed(store: ports.PendingStore, tenant: TenantId) -> None:
    await store.put(pending_row(tenant, DIGEST, kind=PendingKind.TICKET))
    await store.put(pending_row(tenant, DIGEST, kind=PendingKind.STATE))

    assert await store.claim(tenant, DIGEST, at=NOON) is None

    assert [row.claimed_at for row in await listed(store, tenant)] == [None, None]


async def test_claiming_one_leaves_the_others(
    store: ports.PendingStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for row in (parked(tenant), parked(tenant, OTHER), parked(other_tenant)):
        await store.put(row)

    await store.claim(tenant, DIGEST, at=NOON)

    assert await store.claim(tenant, OTHER, at=NOON) is not None
    assert await store.claim(other_tenant, DIGEST, at=NOON) is not None


async def test_a_digest_that_is_not_there_is_claimed_by_nobody_and_makes_no_row(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    assert await store.claim(tenant, DIGEST, at=NOON) is None

    assert await listed(store, tenant) == []


async def test_what_is_deleted_when_it_is_done_is_claimed_no_more(
    store: ports.PendingStore, tenant: TenantId
) -> None:
    await store.put(parked(tenant))
    claimed = await store.claim(tenant, DIGEST, at=NOON)
    assert claimed is not None

    await store.delete(claimed)

    assert await store.claim(tenant, DIGEST, at=NOON) is None
    assert await listed(store, tenant) == []


async def test_a_claim_while_the_user_is_being_deleted_is_good(
    outside: ports.Outside, store: ports.PendingStore, tenant: TenantId
) -> None:
    """What comes of it has to go through the gate."""
    await store.put(parked(tenant))
    await outside.gates.close(DataSubject(tenant=tenant))

    assert await store.claim(tenant, DIGEST, at=NOON) is not None


# --- the real table alone ------------------------------------------------------------------------


class Meddling:
    """The table `pending`, whose row is written anew whenever somebody has read it: as the rotation
    of the tenant's key does, which leaves it in its place."""

    def __init__(self, client: TableClient, times: int) -> None:
        self._client = client
        self._times = times

    async def get_entity(self, partition: str, row_key: str) -> Entity:
        found = await self._client.get_entity(partition, row_key)
        if self._times > 0:
            self._times -= 1
            keys = {"PartitionKey": partition, "RowKey": row_key}
            assert await merge(self._client, {**keys, "sealed": b"\x01resealed"})
        return found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        return getattr(self._client, name)


def meddled_with(azure: Azure, times: int) -> TablePendingStore:
    return TablePendingStore(cast("Tables", {"pending": Meddling(azure._tables["pending"], times)}))


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("takers", [1, 32])
async def test_o02_a_row_that_was_resealed_meanwhile_is_taken_by_one(
    azure: Azure, tenant: TenantId, takers: int
) -> None:
    """It is not the same as a row that somebody else took."""
    await azure.pending.put(pending_row(tenant, DIGEST))
    store = meddled_with(azure, 1)

    taken = await asyncio.gather(
        *(store.take(tenant, PendingKind.TICKET, DIGEST) for _ in range(takers))
    )

    resealed = replace(pending_row(tenant, DIGEST), sealed=b"\x01resealed")
    assert [row for row in taken if row is not None] == [resealed]
    assert await listed(azure.pending, tenant) == []


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("claimants", [1, 32])
async def test_a_row_that_was_resealed_meanwhile_is_claimed_by_one(
    azure: Azure, tenant: TenantId, claimants: int
) -> None:
    await azure.pending.put(parked(tenant))
    store = meddled_with(azure, 1)

    claims = await asyncio.gather(*(store.claim(tenant, DIGEST, at=NOON) for _ in range(claimants)))

    claimed = replace(parked(tenant), sealed=b"\x01resealed", claimed_at=NOON)
    assert [row for row in claims if row is not None] == [claimed]
    assert await listed(azure.pending, tenant) == [claimed]


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
async def test_a_row_that_is_written_all_the_time_is_a_failure_of_the_store_and_stays(
    azure: Azure, tenant: TenantId
) -> None:
    await azure.pending.put(parked(tenant))

    with pytest.raises(StorageFailedError):
        await meddled_with(azure, 99).take(tenant, PendingKind.PARKED, DIGEST)
    with pytest.raises(StorageFailedError):
        await meddled_with(azure, 99).claim(tenant, DIGEST, at=NOON)

    assert await listed(azure.pending, tenant) == [replace(parked(tenant), sealed=b"\x01resealed")]


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("to", ["text", 5, True], ids=["text", "number", "yes"])
async def test_d12_a_claim_that_tells_no_time_is_a_claim_and_is_counted(
    azure: Azure, tenant: TenantId, to: object
) -> None:
    """Nobody gets it; a deletion counts it among what it could not revoke."""
    await azure.pending.put(parked(tenant))
    await azure.pending.claim(tenant, DIGEST, at=NOON)
    await spoil(azure, "pending", f"parked|{DIGEST}", tenant, "claimed_at", to)

    assert await azure.pending.claim(tenant, DIGEST, at=NOON) is None
    assert await azure.pending.of_subject(DataSubject(tenant=tenant)) == ([], 1)


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("column", ["sealed", "user_id", "expires_at"])
async def test_d12_a_row_that_cannot_be_read_is_not_claimed(
    azure: Azure, tenant: TenantId, column: str
) -> None:
    await azure.pending.put(parked(tenant))
    await spoil(azure, "pending", f"parked|{DIGEST}", tenant, column, MISSING)

    with pytest.raises(StorageFailedError):
        await azure.pending.claim(tenant, DIGEST, at=NOON)

    row = await azure._tables["pending"].get_entity(tenant, f"parked|{DIGEST}")
    assert "claimed_at" not in row
