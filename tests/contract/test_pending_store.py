"""What every store of one-time codes promises: the fake, and the table `pending`."""

import asyncio
import hashlib

import pytest

from shared import ports
from shared.model import PendingKind, TenantId
from tests.contract.rows import pending_row

pytestmark = pytest.mark.usefixtures("admitted")

DIGEST = hashlib.sha256(b"code").hexdigest()
OTHER = hashlib.sha256(b"another code").hexdigest()


@pytest.fixture
def store(outside: ports.Outside) -> ports.PendingStore:
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
