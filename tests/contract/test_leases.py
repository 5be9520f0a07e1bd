"""What leases promise: the fake, and the rows `lease|<name>` of the table `tenants`."""

import asyncio
from datetime import datetime, timedelta

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import DataSubject, Lease, TenantId
from shared.outside import Azure
from shared.storage.tables import plain

HOUR = timedelta(hours=1)


@pytest.fixture
async def leases(outside: ports.Outside, tenant: TenantId, other_tenant: TenantId) -> ports.Leases:
    """The gates of both tenants are open."""
    for one in (tenant, other_tenant):
        await outside.gates.open(one)
    return outside.leases


@pytest.fixture
def later(outside: ports.Outside) -> datetime:
    return outside.clock() + HOUR


@pytest.fixture
def past(outside: ports.Outside) -> datetime:
    """An end that has just come: whoever holds a lease until then holds it no more."""
    return outside.clock()


async def taken(
    leases: ports.Leases, tenant: TenantId, until: datetime, *, holder: str = "one"
) -> Lease:
    lease = await leases.take(tenant, "retention", holder=holder, until=until)
    assert lease is not None
    return lease


async def test_a_lease_says_who_holds_it_and_how_long(
    leases: ports.Leases, outside: ports.Outside, tenant: TenantId, later: datetime
) -> None:
    lease = await taken(leases, tenant, later)

    assert (lease.tenant, lease.name, lease.holder) == (tenant, "retention", "one")
    assert lease.until == later
    assert abs(lease.store_time - outside.clock()) < timedelta(minutes=1)
    assert await leases.held_until(tenant, "retention") == later


async def test_of_32_takers_one_gets_it(
    leases: ports.Leases, tenant: TenantId, later: datetime
) -> None:
    names = [f"holder-{n}" for n in range(32)]

    answers = await asyncio.gather(
        *(leases.take(tenant, "retention", holder=name, until=later) for name in names)
    )

    (winner,) = [lease for lease in answers if lease is not None]
    assert winner.holder == names[answers.index(winner)]
    assert await taken(leases, tenant, later, holder=winner.holder) == winner


async def test_while_it_is_held_nobody_else_gets_it_and_its_holder_keeps_it(
    leases: ports.Leases, tenant: TenantId, later: datetime
) -> None:
    lease = await taken(leases, tenant, later)

    assert await leases.take(tenant, "retention", holder="two", until=later) is None
    assert await taken(leases, tenant, later) == lease
    assert await leases.held_until(tenant, "retention") == later


async def test_a_lease_that_was_given_back_is_free(
    leases: ports.Leases, tenant: TenantId, later: datetime
) -> None:
    await leases.release(await taken(leases, tenant, later))

    assert await leases.held_until(tenant, "retention") is None
    assert (await taken(leases, tenant, later, holder="two")).holder == "two"


async def test_a_lease_that_has_lapsed_is_taken_over(
    leases: ports.Leases, tenant: TenantId, past: datetime, later: datetime
) -> None:
    await taken(leases, tenant, past)

    assert (await taken(leases, tenant, later, holder="two")).holder == "two"
    assert await leases.held_until(tenant, "retention") == later
    assert await leases.take(tenant, "retention", holder="one", until=later) is None


async def test_of_32_who_take_a_lapsed_lease_over_one_gets_it(
    leases: ports.Leases, tenant: TenantId, past: datetime, later: datetime
) -> None:
    await taken(leases, tenant, past)

    answers = await asyncio.gather(
        *(leases.take(tenant, "retention", holder=f"new-{n}", until=later) for n in range(32))
    )

    assert sum(lease is not None for lease in answers) == 1


async def test_who_held_it_before_gives_nothing_back(
    leases: ports.Leases, tenant: TenantId, past: datetime, later: datetime
) -> None:
    lapsed = await taken(leases, tenant, past)
    await taken(leases, tenant, later, holder="two")

    await leases.release(lapsed)

    assert await leases.held_until(tenant, "retention") == later


async def test_giving_it_back_twice_is_no_error(
    leases: ports.Leases, tenant: TenantId, later: datetime
) -> None:
    lease = await taken(leases, tenant, later)

    await leases.release(lease)
    await leases.release(lease)

    assert await leases.held_until(tenant, "retention") is None


async def test_leases_of_other_names_and_tenants_are_others(
    leases: ports.Leases, tenant: TenantId, other_tenant: TenantId, later: datetime
) -> None:
    await taken(leases, tenant, later)

    assert await leases.held_until(tenant, "backup") is None
    assert await leases.held_until(other_tenant, "retention") is None
    assert await leases.take(tenant, "backup", holder="two", until=later) is not None
    assert await leases.take(other_tenant, "retention", holder="two", until=later) is not None


async def test_a_tenant_that_is_gone_has_none(
    outside: ports.Outside, tenant: TenantId, later: datetime
) -> None:
    assert await outside.leases.take(tenant, "retention", holder="one", until=later) is None
    assert await outside.leases.held_until(tenant, "retention") is None


async def test_d05_a_lapsed_lease_is_not_taken_over_while_the_tenant_is_deleted(
    leases: ports.Leases,
    outside: ports.Outside,
    tenant: TenantId,
    past: datetime,
    later: datetime,
) -> None:
    await taken(leases, tenant, past)
    await outside.gates.close(DataSubject(tenant=tenant))

    assert await leases.take(tenant, "retention", holder="two", until=later) is None
    assert await leases.take(tenant, "retention", holder="one", until=later) is None
    assert await leases.held_until(tenant, "retention") == past


async def test_a_lease_that_is_held_stays_so_while_the_tenant_is_deleted(
    leases: ports.Leases, outside: ports.Outside, tenant: TenantId, later: datetime
) -> None:
    """The deletion waits for who holds it: what that one does must come to its end first."""
    lease = await taken(leases, tenant, later)
    await outside.gates.close(DataSubject(tenant=tenant))

    assert await leases.held_until(tenant, "retention") == later
    await leases.release(lease)
    assert await leases.held_until(tenant, "retention") is None


@pytest.mark.stack
@pytest.mark.parametrize("until", [{}, {"until": "soon"}], ids=["without-end", "end-is-no-time"])
async def test_d12_a_lease_that_tells_no_end_is_a_failure_of_the_store(
    azure: Azure, tenant: TenantId, until: dict[str, object]
) -> None:
    await azure.gates.open(tenant)
    row = {"PartitionKey": tenant, "RowKey": "lease|retention", "holder": "one", **until}
    await azure._tables["tenants"].create_entity(plain(row))

    with pytest.raises(StorageFailedError):
        await azure.leases.held_until(tenant, "retention")
    with pytest.raises(StorageFailedError):
        await azure.leases.take(tenant, "retention", holder="two", until=azure.clock() + HOUR)
