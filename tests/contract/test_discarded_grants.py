"""What discards a grant puts it into the outbox in the same transaction: of both or neither, on the
fake and on the table `connections`."""

import asyncio
from dataclasses import replace

import pytest

from shared import ports
from shared.errors import DeletionInProgressError, StorageFailedError
from shared.model import Connection, DataSubject, DiscardedGrant, Health, TenantId, UserId
from shared.outside import Azure
from shared.storage.gates import user_gate
from tests.contract.rows import ALICE, BOB, EXACT, LONGER, connection_row, discarded_row
from tests.control_client import ControlClient
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG

pytestmark = pytest.mark.usefixtures("admitted")

BATCH = "/devstoreaccount1/$batch"


async def stored(outside: ports.Outside, tenant: TenantId, user: UserId = ALICE) -> Connection:
    """A row in the store, as read."""
    assert await outside.connections.create(connection_row(tenant, user, sealed=b"\x01old"))
    found = await outside.connections.load(tenant, user, CONTOSO_ORG)
    assert found is not None
    return found


async def discarded(
    outside: ports.Outside, tenant: TenantId, user: UserId | None = None
) -> list[DiscardedGrant]:
    """All that is in the outbox."""
    found, unreadable = await outside.outbox.of_subject(DataSubject(tenant=tenant, user=user))
    assert unreadable == 0
    return list(found)


def left_by(row: Connection, name: str = "0123456789abcdef") -> DiscardedGrant:
    return discarded_row(row.tenant, name, user=row.user, org=row.org, sealed=row.sealed_grant)


def renewed(row: Connection) -> Connection:
    return replace(row, sealed_grant=b"\x01new", generation=row.generation + 1, consent="another")


# --- renewed -------------------------------------------------------------------------------------


async def test_d13_with_a_new_grant_the_old_one_is_in_the_outbox(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)

    written = await outside.connections.renew(renewed(row), left_by(row))

    assert written == renewed(row)
    assert written.etag != row.etag
    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) == written
    assert await discarded(outside, tenant) == [left_by(row)]


async def test_a_grant_that_ended_before_leaves_nothing(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)

    assert await outside.connections.renew(renewed(row), None) == renewed(row)

    assert await discarded(outside, tenant) == []


async def test_what_was_renewed_can_be_replaced_without_reading(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """The etag is that of the connection, not of the gate or of what was discarded."""
    row = await stored(outside, tenant)
    written = await outside.connections.renew(renewed(row), left_by(row))
    assert written is not None

    assert await outside.connections.replace(replace(written, generation=9)) is not None
    (entry,) = await discarded(outside, tenant)
    assert entry.etag != written.etag


async def test_d13_what_changed_since_it_was_read_is_not_renewed_and_nothing_is_discarded(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)
    newer = await outside.connections.replace(replace(row, last_used_day="2026-02-01"))

    assert await outside.connections.renew(renewed(row), left_by(row)) is None

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) == newer
    assert await discarded(outside, tenant) == []


async def test_d13_what_is_gone_is_not_renewed_and_nothing_is_discarded(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)
    await outside.connections.delete(row)

    assert await outside.connections.renew(renewed(row), left_by(row)) is None

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) is None
    assert await discarded(outside, tenant) == []


async def test_d01_of_32_consents_one_is_kept_and_one_discards(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)
    rivals = [replace(renewed(row), sealed_grant=f"{n}".encode()) for n in range(32)]

    written = await asyncio.gather(
        *(
            outside.connections.renew(rival, left_by(row, f"{n:016x}"))
            for n, rival in enumerate(rivals)
        )
    )

    (winner,) = [one for one in written if one is not None]
    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) == winner
    (entry,) = await discarded(outside, tenant)
    assert (int(entry.id, 16), entry.sealed_grant) == (written.index(winner), row.sealed_grant)


# --- disconnected --------------------------------------------------------------------------------


async def test_d13_what_is_disconnected_is_gone_and_in_the_outbox(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)

    assert await outside.connections.disconnect(row, left_by(row))

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) is None
    assert await discarded(outside, tenant) == [left_by(row)]


async def test_d13_what_changed_since_it_was_read_is_not_disconnected(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """A refresh came first: its grant is the one to revoke."""
    row = await stored(outside, tenant)
    newer = await outside.connections.replace(replace(row, sealed_grant=b"\x01newer"))

    assert not await outside.connections.disconnect(row, left_by(row))

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) == newer
    assert await discarded(outside, tenant) == []


async def test_of_32_who_disconnect_one_does_and_one_entry_comes_of_it(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)

    done = await asyncio.gather(
        *(outside.connections.disconnect(row, left_by(row, f"{n:016x}")) for n in range(32))
    )

    assert done.count(True) == 1
    assert [int(entry.id, 16) for entry in await discarded(outside, tenant)] == [done.index(True)]


async def test_after_a_disconnection_nothing_late_brings_the_grant_back(
    outside: ports.Outside, tenant: TenantId
) -> None:
    row = await stored(outside, tenant)
    await outside.connections.disconnect(row, left_by(row))

    assert await outside.connections.replace(renewed(row)) is None
    assert await outside.connections.renew(renewed(row), left_by(row, "f" * 16)) is None
    assert not await outside.connections.disconnect(row, left_by(row, "f" * 16))

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) is None
    assert await discarded(outside, tenant) == [left_by(row)]


async def test_one_org_is_disconnected_and_no_other_of_the_user_or_of_a_colleague(
    outside: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    row = await stored(outside, tenant)
    others = [
        connection_row(tenant, ALICE, FABRIKAM_ORG),
        connection_row(tenant, BOB),
        connection_row(tenant, LONGER),
        connection_row(other_tenant, ALICE),
    ]
    for other in others:
        await outside.connections.create(other)

    assert await outside.connections.disconnect(row, left_by(row))

    for other in others:
        assert await outside.connections.load(other.tenant, other.user, other.org) == other


# --- deletions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [ALICE, None], ids=["a-users", "the-tenants"])
async def test_d05_through_a_closed_gate_nothing_is_renewed_disconnected_or_discarded(
    outside: ports.Outside, tenant: TenantId, user: UserId | None
) -> None:
    row = await stored(outside, tenant)
    await outside.gates.close(DataSubject(tenant=tenant, user=user))

    with pytest.raises(DeletionInProgressError):
        await outside.connections.renew(renewed(row), left_by(row))
    with pytest.raises(DeletionInProgressError):
        await outside.connections.disconnect(row, left_by(row))
    with pytest.raises(DeletionInProgressError):
        await outside.outbox.put(left_by(row))

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) == row
    assert await discarded(outside, tenant) == []


async def test_d05_the_closed_gate_of_a_colleague_is_in_nobodys_way(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """Her id begins like theirs."""
    row = await stored(outside, tenant)
    await outside.gates.close(DataSubject(tenant=tenant, user=LONGER))

    written = await outside.connections.renew(renewed(row), left_by(row))
    assert written is not None
    assert await outside.connections.disconnect(written, left_by(written, "f" * 16))

    assert len(await discarded(outside, tenant, ALICE)) == 2


async def test_d05_a_grant_that_is_gone_behind_a_closed_gate_is_a_matter_of_the_gate(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """Who is told "not as read" would look again, and find nothing."""
    row = await stored(outside, tenant)
    await outside.connections.delete(row)
    await outside.gates.close(DataSubject(tenant=tenant, user=ALICE))

    with pytest.raises(DeletionInProgressError):
        await outside.connections.renew(renewed(row), left_by(row))
    with pytest.raises(DeletionInProgressError):
        await outside.connections.disconnect(row, left_by(row))


# --- the real table alone ------------------------------------------------------------------------


async def etag_of_gate(azure: Azure, tenant: TenantId) -> str:
    row = await azure._tables["connections"].get_entity(tenant, user_gate(ALICE))
    return str(row.metadata["etag"])


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
async def test_d13_where_the_last_row_of_the_transaction_fails_none_is_written(
    azure: Azure, tenant: TenantId
) -> None:
    """The key of the entry is taken: the gate and the connection stay untouched as well."""
    row = await stored(azure, tenant)
    await azure.outbox.put(replace(left_by(row), sealed_grant=b"\x01of before"))
    gate = await etag_of_gate(azure, tenant)

    with pytest.raises(StorageFailedError):
        await azure.connections.renew(renewed(row), left_by(row))
    with pytest.raises(StorageFailedError):
        await azure.connections.disconnect(row, left_by(row))

    found = await azure.connections.load(tenant, ALICE, CONTOSO_ORG)
    assert found == row
    assert found.etag == row.etag
    assert [entry.sealed_grant for entry in await discarded(azure, tenant)] == [b"\x01of before"]
    assert await etag_of_gate(azure, tenant) == gate


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize(
    ("fault", "is_carried_out"),
    [
        pytest.param({"fault": "reset_before", "times": 9}, False, id="never-arrived"),
        pytest.param({"fault": "reset_after", "times": 1}, True, id="the-answer-was-lost"),
        pytest.param({"fault": "html", "times": 1}, False, id="a-page-for-people"),
        pytest.param({"fault": "status", "value": 503, "times": 9}, False, id="away"),
    ],
)
async def test_d13_whatever_becomes_of_the_answer_both_are_written_or_neither(
    azure: Azure,
    control: ControlClient,
    tenant: TenantId,
    fault: dict[str, object],
    *,
    is_carried_out: bool,
) -> None:
    """Whoever was told of a failure looks: the grant is in the one place or in the other."""
    row = await stored(azure, tenant)
    control.post("/_sim/faults", {"target": "tables", "match": BATCH, **fault})
    try:
        with pytest.raises(StorageFailedError):
            await azure.connections.disconnect(row, left_by(row))
    finally:
        control.clear_faults()

    found = await azure.connections.load(tenant, ALICE, CONTOSO_ORG)
    entries = await discarded(azure, tenant)
    assert (found, entries) == ((None, [left_by(row)]) if is_carried_out else (row, []))


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
async def test_a_grant_that_was_discarded_is_of_the_place_of_its_connection(
    azure: Azure, tenant: TenantId
) -> None:
    """It is moved without being opened, so it opens where it was sealed for, and nowhere else."""
    row = await stored(azure, tenant)
    entry = DiscardedGrant.of(row, EXACT)

    await azure.connections.renew(replace(row, health=Health.EXPIRED, sealed_grant=b""), entry)

    (found,) = await discarded(azure, tenant)
    assert (found.place, found.sealed_grant) == (row.place, row.sealed_grant)
