"""What deletions and the clean-up ask every connection store, and how a new consent is kept: the
fake, and the table `connections`."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import Connection, DataSubject, Health, TenantId
from shared.outside import Azure
from tests.contract.rows import ALICE, BOB, EXACT, LONGER, connection_row
from tests.contract.test_unreadable_rows import MISSING, spoil
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON


@pytest.fixture
def store(outside: ports.Outside, admitted: None) -> ports.ConnectionStore:
    return outside.connections


async def stored(store: ports.ConnectionStore, row: Connection) -> Connection:
    """A row in the store, as read."""
    assert await store.create(row)
    found = await store.load(row.tenant, row.user, row.org)
    assert found is not None
    return found


async def test_of_a_tenant_are_those_of_all_its_users(
    store: ports.ConnectionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    rows = [
        connection_row(tenant, ALICE, CONTOSO_ORG),
        connection_row(tenant, ALICE, FABRIKAM_ORG),
        connection_row(tenant, LONGER),
        connection_row(tenant, BOB),
    ]
    for row in (*rows, connection_row(other_tenant, ALICE)):
        await store.create(row)

    of_all, _ = await store.of_subject(DataSubject(tenant=tenant))
    of_alice, _ = await store.of_subject(DataSubject(tenant=tenant, user=ALICE))

    assert sorted(of_all, key=lambda row: row.row_key) == sorted(rows, key=lambda row: row.row_key)
    assert list(of_alice) == rows[:2]
    assert list(of_alice) == list(await store.of_user(tenant, ALICE))


async def test_where_nothing_is_connected_there_is_none(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    """There are gates, though."""
    assert await store.of_subject(DataSubject(tenant=tenant)) == ([], 0)
    assert await store.of_subject(DataSubject(tenant=tenant, user=ALICE)) == ([], 0)


async def test_d07_ended_are_those_whose_grant_ended_by_then_to_the_millisecond(
    store: ports.ConnectionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    ends = {"00D000000000001": -1, "00D000000000002": 0, "00D000000000003": 1}
    for org, later in ends.items():
        row = connection_row(tenant, org=CONTOSO_ORG.parse(org))
        ended_at = NOON + timedelta(milliseconds=later)
        await store.create(replace(row, health=Health.EXPIRED, ended_at=ended_at))
    await store.create(connection_row(tenant, BOB))
    await store.create(replace(connection_row(other_tenant), ended_at=NOON))

    found = await store.ended(tenant, before=NOON)

    assert [row.org[:15] for row in found] == ["00D000000000001", "00D000000000002"]
    assert found[1].ended_at == NOON
    assert await store.delete(found[0])


async def test_a_grant_that_serves_again_has_not_ended(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    ended = replace(connection_row(tenant), health=Health.REVOKED, ended_at=EXACT)
    row = await stored(store, ended)
    assert row == ended

    await store.renew(replace(row, health=Health.ACTIVE, ended_at=None), None)

    assert list(await store.ended(tenant, before=EXACT + timedelta(days=1))) == []
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == connection_row(tenant)


async def test_o13_idle_are_those_that_were_refreshed_by_then_to_the_millisecond(
    store: ports.ConnectionStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    orgs = {"00D000000000001": -1, "00D000000000002": 0, "00D000000000003": 1}
    for org, later in orgs.items():
        row = connection_row(tenant, org=CONTOSO_ORG.parse(org))
        await store.create(replace(row, refreshed_at=NOON + timedelta(milliseconds=later)))
    await store.create(replace(connection_row(tenant, BOB), refreshed_at=NOON - timedelta(days=9)))
    await store.create(replace(connection_row(other_tenant), refreshed_at=NOON))

    found = await store.idle(tenant, since=NOON)

    assert [(row.user, row.org[:15]) for row in found] == [
        (ALICE, "00D000000000001"),
        (ALICE, "00D000000000002"),
        (BOB, CONTOSO_ORG[:15]),
    ]
    assert found[1].refreshed_at == NOON


async def test_o13_a_grant_that_was_refreshed_is_idle_no_more(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    """When it was connected and on which day it was used says nothing of its refresh token."""
    row = await stored(store, replace(connection_row(tenant), refreshed_at=NOON))
    (listed,) = await store.idle(tenant, since=NOON)
    assert listed == row

    await store.replace(replace(listed, refreshed_at=NOON + timedelta(seconds=1)))

    assert list(await store.idle(tenant, since=NOON)) == []


async def test_a_grant_that_has_ended_is_idle_as_well(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    """Whoever asks looks at the health."""
    ended = replace(connection_row(tenant), health=Health.REVOKED, ended_at=EXACT)
    await store.create(ended)

    assert list(await store.idle(tenant, since=EXACT)) == [ended]


async def test_a_new_consent_takes_the_place_of_the_grant_as_read(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    leased = replace(connection_row(tenant), lease_holder="holder", lease_until=EXACT)
    row = await stored(store, leased)
    wanted = replace(row, sealed_grant=b"new", generation=2, lease_holder=None, lease_until=None)

    written = await store.renew(wanted, None)

    assert written == wanted
    assert written.etag != row.etag
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == wanted
    assert await store.replace(replace(written, generation=3)) is not None


async def test_what_changed_since_it_was_read_is_not_renewed(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, connection_row(tenant))
    newer = await store.replace(replace(row, generation=2))

    assert await store.renew(replace(row, generation=9), None) is None
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == newer


async def test_what_is_gone_is_not_renewed(store: ports.ConnectionStore, tenant: TenantId) -> None:
    row = await stored(store, connection_row(tenant))
    await store.delete(row)

    assert await store.renew(replace(row, generation=2), None) is None
    assert await store.load(tenant, ALICE, CONTOSO_ORG) is None


async def test_d01_of_32_consents_with_one_etag_one_is_kept(
    store: ports.ConnectionStore, tenant: TenantId
) -> None:
    row = await stored(store, connection_row(tenant))
    rivals = [replace(row, sealed_grant=f"{n}".encode()) for n in range(32)]

    written = await asyncio.gather(*(store.renew(rival, None) for rival in rivals))

    (winner,) = [one for one in written if one is not None]
    assert await store.load(tenant, ALICE, CONTOSO_ORG) == winner


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("to", ["2020-01-01T00:00:00Z", 5], ids=["text", "number"])
async def test_d07_a_grant_that_tells_no_end_is_kept(
    azure: Azure, tenant: TenantId, to: object
) -> None:
    """Never one that ended long ago."""
    row = replace(connection_row(tenant), ended_at=EXACT)
    await azure.connections.create(row)
    await spoil(azure, "connections", row.row_key, tenant, "ended_at", to)

    with pytest.raises(StorageFailedError):
        await azure.connections.load(tenant, ALICE, CONTOSO_ORG)
    assert await azure.connections.ended(tenant, before=EXACT) == []


@pytest.mark.stack
async def test_d12_a_row_that_cannot_be_read_holds_up_no_other(
    azure: Azure, tenant: TenantId, admitted_azure: None
) -> None:
    for row in (connection_row(tenant, ALICE), connection_row(tenant, BOB)):
        await azure.connections.create(row)
    key = connection_row(tenant, ALICE).row_key
    await spoil(azure, "connections", key, tenant, "health", "of a future release")

    found, unreadable = await azure.connections.of_subject(DataSubject(tenant=tenant))

    assert ([row.user for row in found], unreadable) == ([BOB], 1)
    with pytest.raises(StorageFailedError):
        await azure.connections.of_user(tenant, ALICE)


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
async def test_d12_of_ended_and_idle_ones_what_cannot_be_read_is_left_out_and_told(
    azure: Azure, tenant: TenantId, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowrunner")
    for user in (ALICE, BOB):
        await azure.connections.create(replace(connection_row(tenant, user), ended_at=EXACT))
    key = connection_row(tenant, ALICE).row_key
    await spoil(azure, "connections", key, tenant, "health", "of a future release")

    ended = await azure.connections.ended(tenant, before=EXACT)
    idle = await azure.connections.idle(tenant, since=EXACT)

    assert [row.user for row in ended] == [row.user for row in idle] == [BOB]
    told = [json.loads(record.getMessage()) for record in caplog.records]
    unreadable = [line for line in told if line["event"] == "row_unreadable"]
    assert [(line["tenant"], line["count"]) for line in unreadable] == [(tenant, 1)] * 2


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("to", ["2020-01-01T00:00:00Z", 5, MISSING], ids=["text", "number", "none"])
async def test_d12_a_grant_that_does_not_tell_when_it_was_refreshed_is_not_let_lapse(
    azure: Azure, tenant: TenantId, to: object
) -> None:
    row = connection_row(tenant)
    await azure.connections.create(row)
    await spoil(azure, "connections", row.row_key, tenant, "refreshed_at", to)

    with pytest.raises(StorageFailedError):
        await azure.connections.load(tenant, ALICE, CONTOSO_ORG)
    assert await azure.connections.idle(tenant, since=EXACT) == []
