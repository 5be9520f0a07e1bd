"""What everybody promises who gives out the sealed values of a tenant: the fake, and the tables."""

import asyncio
from dataclasses import replace
from typing import Final

import pytest

from shared import ports
from shared.model import DataSubject, DiscardedGrant, PendingKind, TenantId
from shared.model.connections import connection_row_key
from shared.model.places import SealedValue
from shared.model.schema import TABLES
from shared.storage.sealed_values import SEALED_COLUMNS
from tests.contract.rows import (
    ALICE,
    BOB,
    EXACT,
    connection_row,
    pending_row,
    tenant_row,
    user_row,
)
from tests.fakes import CONTOSO_ORG

pytestmark = pytest.mark.usefixtures("admitted")

HELD: Final = {
    ("tenants", "tenant", "sealed_directory"): b"\x01directory",
    ("tenants", "tenant", "sealed_pseudonym_key"): b"\x00sealed\xff",
    ("tenants", "flow|f-1", "sealed_name"): b"\x01name",
    ("users", ALICE, "sealed_identity"): b"\x01alice",
    ("connections", connection_row_key(ALICE, CONTOSO_ORG), "sealed_grant"): b"\x01grant",
    ("pending", "ticket|1", "sealed"): b"\x01",
    ("pending", "parked|2", "sealed"): b"\x01",
}
"""What `fill` writes, by table, row key and column; beside an entry of the outbox."""


async def fill(outside: ports.Outside, tenant: TenantId) -> DiscardedGrant:
    """One value in each sealed column of the schema. The entry of the outbox."""
    await outside.tenants.create(tenant_row(tenant, directory=b"\x01directory"))
    await outside.tenants.remember_flow_name(tenant, "f-1", b"\x01name")
    await outside.users.create(user_row(tenant, sealed=b"\x01alice"))
    row = connection_row(tenant, sealed=b"\x01grant")
    await outside.connections.create(row)
    left = DiscardedGrant.new(tenant, BOB, row.org, sealed=b"\x01left", now=EXACT)
    await outside.outbox.put(left)
    await outside.pending.put(pending_row(tenant, "1"))
    await outside.pending.put(pending_row(tenant, "2", kind=PendingKind.PARKED))
    return left


async def values(outside: ports.Outside, tenant: TenantId) -> list[SealedValue]:
    return [value async for page in outside.sealed_values.pages(tenant) for value in page]


def keyed(found: list[SealedValue]) -> dict[tuple[str, str, str], bytes]:
    return {(value.table, value.row_key, value.column): value.sealed for value in found}


async def one(outside: ports.Outside, tenant: TenantId, column: str) -> SealedValue:
    (found,) = [
        value
        for value in await values(outside, tenant)
        if value.column == column and not value.row_key.startswith("outbox|")
    ]
    return found


async def test_every_sealed_value_is_given_out_once_and_no_other_tenants(
    outside: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    left = await fill(outside, tenant)
    await fill(outside, other_tenant)

    found = await values(outside, tenant)

    outbox = ("connections", left.row_key, "sealed_grant")
    assert keyed(found) == {**HELD, outbox: b"\x01left"}
    assert len(found) == len(HELD) + 1
    assert {value.tenant for value in found} == {tenant}


async def test_a_grant_that_was_taken_from_its_row_is_no_value(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """Lapsed connections stay for 30 days: nothing of theirs is broken."""
    await outside.connections.create(connection_row(tenant, sealed=b""))

    assert await values(outside, tenant) == []


async def test_a_value_knows_what_it_was_sealed_for(
    outside: ports.Outside, tenant: TenantId
) -> None:
    left = await fill(outside, tenant)

    places = {value.row_key: value.place for value in await values(outside, tenant)}

    assert places[left.row_key] == left.place
    assert places[connection_row(tenant).row_key] == connection_row(tenant).place
    assert places["ticket|1"] == pending_row(tenant, "1").place


async def test_every_sealed_column_that_the_schema_lists_is_among_them(
    outside: ports.Outside, tenant: TenantId
) -> None:
    await fill(outside, tenant)

    listed = {
        (table.name, column.name)
        for table in TABLES.values()
        for kind in table.kinds
        for column in kind.columns
        if column.is_sealed
    }

    assert {(v.table, v.column) for v in await values(outside, tenant)} == listed
    assert {(name, one) for name, columns in SEALED_COLUMNS.items() for one in columns} == listed


@pytest.mark.parametrize(("table", "row_key", "column"), HELD)
async def test_a_value_is_replaced_and_nothing_beside_it(
    outside: ports.Outside, tenant: TenantId, table: str, row_key: str, column: str
) -> None:
    await fill(outside, tenant)
    before = await values(outside, tenant)
    (value,) = [v for v in before if (v.table, v.row_key, v.column) == (table, row_key, column)]

    assert await outside.sealed_values.replace(value, b"\x01anew")

    after = keyed(await values(outside, tenant))
    assert after == {**keyed(before), (table, row_key, column): b"\x01anew"}


async def test_the_rest_of_a_row_stays_as_it_is(outside: ports.Outside, tenant: TenantId) -> None:
    left = await fill(outside, tenant)

    for value in await values(outside, tenant):
        if value.table in ("connections", "users"):
            assert await outside.sealed_values.replace(value, b"\x01anew")

    row = connection_row(tenant)
    assert await outside.connections.load(tenant, row.user, row.org) == replace(
        row, sealed_grant=b"\x01anew"
    )
    assert await outside.users.load(tenant, ALICE) == user_row(tenant, sealed=b"\x01anew")
    entries, _ = await outside.outbox.of_subject(DataSubject(tenant=tenant))
    assert entries == [replace(left, sealed_grant=b"\x01anew")]


async def test_a_row_that_was_written_meanwhile_is_left_as_it_is(
    outside: ports.Outside, tenant: TenantId
) -> None:
    await fill(outside, tenant)
    value = await one(outside, tenant, "sealed_grant")
    row = connection_row(tenant)
    found = await outside.connections.load(tenant, row.user, row.org)
    assert found is not None
    refreshed = await outside.connections.replace(
        replace(found, generation=2, sealed_grant=b"\x01refreshed")
    )

    assert not await outside.sealed_values.replace(value, b"\x01anew")

    assert await outside.connections.load(tenant, row.user, row.org) == refreshed


async def test_whoever_read_a_row_before_its_seal_was_renewed_does_not_write_it(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """Else an older seal would come back."""
    await fill(outside, tenant)
    row = connection_row(tenant)
    found = await outside.connections.load(tenant, row.user, row.org)
    assert found is not None

    await outside.sealed_values.replace(await one(outside, tenant, "sealed_grant"), b"\x01anew")

    assert await outside.connections.replace(found) is None
    assert (await one(outside, tenant, "sealed_grant")).sealed == b"\x01anew"


async def test_a_row_that_is_gone_stays_gone(outside: ports.Outside, tenant: TenantId) -> None:
    await fill(outside, tenant)
    value = await one(outside, tenant, "sealed_grant")
    row = connection_row(tenant)
    found = await outside.connections.load(tenant, row.user, row.org)
    assert found is not None
    assert await outside.connections.delete(found)

    assert not await outside.sealed_values.replace(value, b"\x01anew")

    assert await outside.connections.load(tenant, row.user, row.org) is None


async def test_of_many_who_replace_a_value_one_does(
    outside: ports.Outside, tenant: TenantId
) -> None:
    await fill(outside, tenant)
    value = await one(outside, tenant, "sealed_identity")

    done = await asyncio.gather(
        *(outside.sealed_values.replace(value, bytes([1, n])) for n in range(8))
    )

    assert done.count(True) == 1
    assert (await one(outside, tenant, "sealed_identity")).sealed == bytes([1, done.index(True)])


async def test_a_grant_that_is_discarded_during_a_pass_is_met(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """It moves to the outbox as it is sealed. A pass that met it nowhere would take the key that
    sealed it for one that is not needed any more."""
    await fill(outside, tenant)
    row = connection_row(tenant)
    found = await outside.connections.load(tenant, row.user, row.org)
    assert found is not None
    met: list[SealedValue] = []

    async for page in outside.sealed_values.pages(tenant):
        if any(value.table == "connections" for value in page) and not any(
            value.sealed == b"\x01grant" for value in met
        ):
            moved = DiscardedGrant.of(found, EXACT)
            await outside.connections.disconnect(found, moved)
        met += page

    grants = [value.row_key for value in met if value.sealed == b"\x01grant"]
    assert grants
    assert {value.place.row_key for value in met if value.sealed == b"\x01grant"} == {row.row_key}
    assert grants[-1].startswith("outbox|")
