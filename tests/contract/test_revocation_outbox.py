"""What every outbox of discarded grants promises: the fake, and its rows in the table
`connections`."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from shared import ports
from shared.errors import DeletionInProgressError
from shared.model import DataSubject, DiscardedGrant, TenantId, UserId
from shared.outside import Azure
from tests.contract.rows import ALICE, BOB, EXACT, LONGER, connection_row, discarded_row
from tests.contract.test_unreadable_rows import MISSING, spoil
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG

FIRST: Final = "0" * 16
SECOND: Final = "f" * 16


@pytest.fixture
def outbox(outside: ports.Outside, admitted: None) -> ports.RevocationOutbox:
    return outside.outbox


async def listed(
    outbox: ports.RevocationOutbox, tenant: TenantId, user: UserId | None = None
) -> list[DiscardedGrant]:
    found, unreadable = await outbox.of_subject(DataSubject(tenant=tenant, user=user))
    assert unreadable == 0
    return list(found)


async def test_what_was_put_is_listed_as_it_was(
    outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    entry = replace(discarded_row(tenant, sealed=bytes(range(256))), attempts=2**31 - 1)

    await outbox.put(entry)

    (found,) = await listed(outbox, tenant)
    assert found == entry
    assert found.etag


@pytest.mark.parametrize("may_be_spent", [True, False])
async def test_whether_its_token_may_be_spent_is_kept_from_try_to_try(
    outbox: ports.RevocationOutbox, tenant: TenantId, may_be_spent: bool
) -> None:
    """Forgotten, a living grant would be taken for a revoked one."""
    await outbox.put(replace(discarded_row(tenant), may_be_spent=may_be_spent))
    (found,) = await listed(outbox, tenant)
    assert found.may_be_spent is may_be_spent

    await outbox.replace(replace(found, attempts=1))

    (found,) = await listed(outbox, tenant)
    assert (found.attempts, found.may_be_spent) == (1, may_be_spent)


async def test_two_grants_of_one_org_are_two_entries(
    outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    """A user who connects and disconnects in turn, while the org is down."""
    for name in (SECOND, FIRST):
        await outbox.put(discarded_row(tenant, name))

    assert [entry.id for entry in await listed(outbox, tenant)] == [FIRST, SECOND]


async def test_entries_are_those_of_a_user_or_of_the_whole_tenant(
    outside: ports.Outside,
    outbox: ports.RevocationOutbox,
    tenant: TenantId,
    other_tenant: TenantId,
) -> None:
    """Without connections and gates, and without the neighbour whose id begins alike."""
    own = [discarded_row(tenant, org=org) for org in (CONTOSO_ORG, FABRIKAM_ORG)]
    theirs = [discarded_row(tenant, user=user) for user in (BOB, LONGER)]
    for entry in (*own, *theirs, discarded_row(other_tenant)):
        await outbox.put(entry)
        await outside.connections.create(connection_row(entry.tenant, entry.user, entry.org))

    assert await listed(outbox, tenant, ALICE) == sorted(own, key=lambda entry: entry.row_key)
    assert await listed(outbox, tenant, LONGER) == [discarded_row(tenant, user=LONGER)]
    assert await listed(outbox, tenant) == sorted([*own, *theirs], key=lambda entry: entry.row_key)
    assert await listed(outbox, other_tenant) == [discarded_row(other_tenant)]


async def test_connections_are_listed_without_the_outbox(
    outside: ports.Outside, outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    await outbox.put(discarded_row(tenant))

    assert await outside.connections.of_subject(DataSubject(tenant=tenant)) == ([], 0)
    assert list(await outside.connections.of_user(tenant, ALICE)) == []
    assert list(await outside.connections.idle(tenant, since=EXACT + timedelta(days=99))) == []
    assert list(await outside.connections.ended(tenant, before=EXACT + timedelta(days=99))) == []


async def test_where_nothing_was_discarded_nothing_is_listed(
    outside: ports.Outside, outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    await outside.connections.create(connection_row(tenant))

    assert await listed(outbox, tenant) == []
    assert await listed(outbox, tenant, ALICE) == []


async def test_a_failed_try_is_written_down(
    outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    await outbox.put(discarded_row(tenant))
    (found,) = await listed(outbox, tenant)
    later = replace(found, attempts=1, next_try_at=EXACT + timedelta(hours=6))

    await outbox.replace(later)

    (written,) = await listed(outbox, tenant)
    assert written == later
    assert written.etag != found.etag


async def test_what_is_not_as_read_any_more_is_not_replaced(
    outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    """Its seal was renewed under another key meanwhile, say."""
    await outbox.put(discarded_row(tenant))
    (found,) = await listed(outbox, tenant)
    await outbox.replace(replace(found, sealed_grant=b"\x01resealed"))

    await outbox.replace(replace(found, attempts=9))

    (left,) = await listed(outbox, tenant)
    assert (left.sealed_grant, left.attempts) == (b"\x01resealed", 0)


async def test_what_is_gone_stays_gone(outbox: ports.RevocationOutbox, tenant: TenantId) -> None:
    await outbox.put(discarded_row(tenant))
    (found,) = await listed(outbox, tenant)
    await outbox.delete(found)

    await outbox.replace(replace(found, attempts=1))

    assert await listed(outbox, tenant) == []


async def test_one_is_deleted_as_often_as_one_likes_and_no_other(
    outbox: ports.RevocationOutbox, tenant: TenantId, other_tenant: TenantId
) -> None:
    others = [
        discarded_row(tenant, SECOND),
        discarded_row(tenant, FIRST, org=FABRIKAM_ORG),
        discarded_row(tenant, FIRST, user=LONGER),
    ]
    for entry in (*others, discarded_row(tenant, FIRST), discarded_row(other_tenant, FIRST)):
        await outbox.put(entry)

    await asyncio.gather(*(outbox.delete(discarded_row(tenant, FIRST)) for _ in range(8)))
    await outbox.delete(discarded_row(tenant, FIRST))

    assert await listed(outbox, tenant) == sorted(others, key=lambda entry: entry.row_key)
    assert await listed(outbox, other_tenant) == [discarded_row(other_tenant, FIRST)]


async def test_what_was_replaced_meanwhile_is_deleted_all_the_same(
    outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    """Salesforce has said that it is revoked; whatever the row looks like by now."""
    await outbox.put(discarded_row(tenant))
    (found,) = await listed(outbox, tenant)
    await outbox.replace(replace(found, attempts=1))

    await outbox.delete(found)

    assert await listed(outbox, tenant) == []


async def test_d05_late_entries_of_somebody_who_was_deleted_are_refused(
    outside: ports.Outside, outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    await outbox.put(discarded_row(tenant))
    (found,) = await listed(outbox, tenant)
    alice = DataSubject(tenant=tenant, user=ALICE)
    await outside.gates.close(alice)
    await outside.erasure.delete(alice)

    with pytest.raises(DeletionInProgressError):
        await outbox.put(discarded_row(tenant, SECOND))
    await outbox.replace(replace(found, attempts=1))
    await outbox.delete(found)

    assert await listed(outbox, tenant) == []
    assert sum((await outside.erasure.count(alice)).values()) == 0


async def test_the_timer_can_write_and_take_away_while_the_gate_is_closed(
    outside: ports.Outside, outbox: ports.RevocationOutbox, tenant: TenantId
) -> None:
    """A deletion itself revokes what is in the outbox."""
    await outbox.put(discarded_row(tenant))
    await outside.gates.close(DataSubject(tenant=tenant, user=ALICE))
    (found,) = await listed(outbox, tenant)

    await outbox.replace(replace(found, attempts=1))
    assert [entry.attempts for entry in await listed(outbox, tenant)] == [1]
    await outbox.delete(found)

    assert await listed(outbox, tenant) == []


# --- rows that cannot be read, which the fake has not --------------------------------------------


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("org_id", MISSING, id="no-org"),
        pytest.param("org_id", "00D", id="an-org-that-is-none"),
        pytest.param("org_id", 5, id="org-is-a-number"),
        pytest.param("org_id", str(FABRIKAM_ORG), id="the-org-of-another-row"),
        pytest.param("sealed_grant", MISSING, id="no-grant"),
        pytest.param("sealed_grant", "text", id="grant-is-text"),
        pytest.param("discarded_at", MISSING, id="no-time"),
        pytest.param("discarded_at", "noon", id="time-is-text"),
        pytest.param("next_try_at", MISSING, id="no-next-time"),
        pytest.param("next_try_at", 5, id="next-time-is-a-number"),
        pytest.param("attempts", MISSING, id="no-attempts"),
        pytest.param("attempts", "few", id="attempts-are-no-number"),
    ],
)
async def test_d12_an_entry_that_cannot_be_read_is_counted_and_hides_nothing(
    azure: Azure, tenant: TenantId, column: str, to: object
) -> None:
    for name in (FIRST, SECOND):
        await azure.outbox.put(discarded_row(tenant, name))
    await spoil(azure, "connections", discarded_row(tenant, FIRST).row_key, tenant, column, to)

    for user in (ALICE, None):
        found, unreadable = await azure.outbox.of_subject(DataSubject(tenant=tenant, user=user))
        assert (list(found), unreadable) == ([discarded_row(tenant, SECOND)], 1)
    assert await azure.outbox.of_subject(DataSubject(tenant=tenant, user=BOB)) == ([], 0)


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("key", ["outbox|", f"outbox|{ALICE}", f"outbox|{ALICE}|a|b|c|d"])
async def test_d12_an_entry_of_no_known_key_is_counted_for_the_tenant(
    azure: Azure, tenant: TenantId, key: str
) -> None:
    table = azure._tables.for_restoring("connections")
    await table.create_entity({"PartitionKey": str(tenant), "RowKey": key})
    await azure.outbox.put(discarded_row(tenant))

    found, unreadable = await azure.outbox.of_subject(DataSubject(tenant=tenant))

    assert (list(found), unreadable) == ([discarded_row(tenant)], 1)
