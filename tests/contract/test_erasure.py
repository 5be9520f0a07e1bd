"""What a deletion finds and takes away, on the fakes and on the tables: all of it, and only it."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import DataSubject, PendingKind, TenantId, UserId
from shared.outside import Azure
from shared.storage import TABLE_NAMES
from shared.storage.tables import plain
from tests.contract.bulk import started
from tests.contract.rows import (
    ALICE,
    BOB,
    LONGER,
    connection_row,
    deletion_row,
    discarded_row,
    idempotency,
    pending_row,
    run_row,
    settings_change,
    tenant_row,
    user_row,
    wrapped_key,
)
from tests.control_client import ControlClient
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG

PEOPLE = (ALICE, LONGER, BOB)
OF_ONE = {
    "tenants": 1,  # the gate; a change of settings stays, without its author
    "tenantkeys": 0,
    "users": 1,
    "connections": 2 + 2 + 1,  # connections, discarded grants, the gate
    "pending": 3 + 1,
    "runs": 2 + 1 + 1,
}
"""Of one user, the gates counted last."""
OF_ALL = {
    "tenants": 1 + 1 + 3 * 2 + 1 + 1,  # row, Flow name, a change by each, lease, gates
    "tenantkeys": 2,
    "users": 3 * 1 + 1,
    "connections": 3 * 5 + 1,
    "pending": 3 * 4 + 1,
    "runs": 3 * 4 + 1,
}
NONE = dict.fromkeys(OF_ALL, 0)


@pytest.fixture
async def filled(
    outside: ports.Outside, tenant: TenantId, other_tenant: TenantId, admitted: None
) -> ports.Outside:
    """Three people in each of two tenants have rows in every table."""
    for owner in (tenant, other_tenant):
        await fill(outside, owner)
    return outside


async def fill(outside: ports.Outside, tenant: TenantId) -> None:
    await outside.tenants.create(tenant_row(tenant))
    await outside.tenants.remember_flow_name(tenant, "f-one", b"name")
    until = outside.clock() + timedelta(hours=1)
    await outside.leases.take(tenant, "retention", holder="one", until=until)
    for version in (1, 2):
        await outside.tenant_keys.create(wrapped_key(tenant, version))
    await outside.deletions.create(deletion_row(tenant, "one"))
    for number, user in enumerate(PEOPLE):
        row = await outside.tenants.load(tenant)
        assert row is not None
        await outside.tenants.change_settings(row, settings_change(f"{number}", by=user))
        await outside.users.create(user_row(tenant, user))
        for org in (CONTOSO_ORG, FABRIKAM_ORG):
            await outside.connections.create(connection_row(tenant, user, org))
            await outside.outbox.put(discarded_row(tenant, user=user, org=org))
        for kind in PendingKind:
            await outside.pending.put(pending_row(tenant, user, user=user, kind=kind))
        await outside.runs.start(run_row(tenant, f"{user}-a", user=user), None)
        await outside.runs.start(run_row(tenant, f"{user}-b", user=user), idempotency(user))


async def counted(
    outside: ports.Outside, tenant: TenantId, user: UserId | None = None
) -> Mapping[str, int]:
    return await outside.erasure.count(DataSubject(tenant=tenant, user=user))


def without(tables: Mapping[str, int], gone: Mapping[str, int]) -> Mapping[str, int]:
    return {name: rows - gone[name] for name, rows in tables.items()}


async def test_every_row_of_a_user_is_counted_by_table(
    filled: ports.Outside, tenant: TenantId
) -> None:
    for user in PEOPLE:
        assert await counted(filled, tenant, user) == OF_ONE


async def test_every_row_of_a_tenant_is_counted_by_table(
    filled: ports.Outside, tenant: TenantId
) -> None:
    assert await counted(filled, tenant) == OF_ALL


async def test_who_has_no_rows_has_none_in_any_table(
    outside: ports.Outside, tenant: TenantId
) -> None:
    assert await counted(outside, tenant) == NONE
    assert await counted(outside, tenant, ALICE) == NONE
    await outside.erasure.delete(DataSubject(tenant=tenant))
    await outside.erasure.delete(DataSubject(tenant=tenant, user=ALICE))


@pytest.mark.parametrize("user", PEOPLE)
async def test_a_users_rows_go_and_nothing_else(
    filled: ports.Outside, tenant: TenantId, other_tenant: TenantId, user: UserId
) -> None:
    """The ids of two of them begin alike."""
    await filled.erasure.delete(DataSubject(tenant=tenant, user=user))

    assert await counted(filled, tenant, user) == NONE
    assert await counted(filled, tenant) == without(OF_ALL, OF_ONE)
    for colleague in set(PEOPLE) - {user}:
        assert await counted(filled, tenant, colleague) == OF_ONE
    assert await counted(filled, other_tenant) == OF_ALL
    assert await filled.deletions.of_tenant(tenant) == [deletion_row(tenant, "one")]


async def test_with_a_user_go_the_right_rows(filled: ports.Outside, tenant: TenantId) -> None:
    await filled.erasure.delete(DataSubject(tenant=tenant, user=ALICE))

    assert await filled.users.load(tenant, ALICE) is None
    assert await filled.users.load(tenant, LONGER) == user_row(tenant, LONGER)
    left, _ = await filled.connections.of_subject(DataSubject(tenant=tenant))
    assert {row.user for row in left} == {BOB, LONGER}
    discarded, _ = await filled.outbox.of_subject(DataSubject(tenant=tenant))
    assert {entry.user for entry in discarded} == {BOB, LONGER}
    waiting, _ = await filled.pending.of_subject(DataSubject(tenant=tenant))
    assert {row.user for row in waiting} == {BOB, LONGER}
    page = await filled.runs.page(tenant, None, after=None, limit=99)
    assert {run.user for run in page.runs} == {BOB, LONGER}
    assert await filled.tenants.load(tenant) == tenant_row(tenant)
    assert [key.version for key in await filled.tenant_keys.all(tenant)] == [1, 2]


async def test_a_users_changes_of_settings_stay_and_nobody_has_made_them(
    filled: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    alices = DataSubject(tenant=tenant, user=ALICE)
    assert await filled.erasure.authored(alices) == 1

    await filled.erasure.delete(DataSubject(tenant=tenant, user=ALICE))

    assert await filled.erasure.authored(alices) == 0
    assert await filled.erasure.authored(DataSubject(tenant=tenant, user=BOB)) == 1
    changes = await filled.tenants.settings_changes(tenant, limit=9)
    assert {change.id: change.changed_by for change in changes} == {
        "c-0": "",
        "c-1": LONGER,
        "c-2": BOB,
    }
    assert {change.changed for change in changes} == {("retention_days", "allowed_orgs")}
    theirs = await filled.tenants.settings_changes(other_tenant, limit=9)
    assert sorted(change.changed_by for change in theirs) == sorted(PEOPLE)


async def test_of_a_tenant_the_wrapped_keys_and_the_deletions_are_left(
    filled: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    await filled.erasure.delete(DataSubject(tenant=tenant))

    assert await counted(filled, tenant) == {**NONE, "tenantkeys": 2}
    assert await counted(filled, other_tenant) == OF_ALL
    assert await filled.deletions.of_tenant(tenant) == [deletion_row(tenant, "one")]
    assert tenant not in await filled.tenants.ids()
    await filled.tenant_keys.destroy(tenant)
    assert await counted(filled, tenant) == NONE


async def test_deleting_twice_is_no_error(
    filled: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    for subject in (DataSubject(tenant=tenant, user=ALICE), DataSubject(tenant=tenant)):
        await filled.erasure.delete(subject)
        await filled.erasure.delete(subject)

    assert await counted(filled, other_tenant) == OF_ALL


async def test_d06_thousands_of_runs_go_over_several_pages(
    outside: ports.Outside, tenant: TenantId, admitted: None
) -> None:
    """2,500, every fifth of which is a colleague's: the store answers at most 1,000 at a time."""
    runs = [run_row(tenant, f"{n}", user=ALICE if n % 5 else LONGER, later=n) for n in range(2_500)]
    await started(outside.runs, runs)

    await outside.erasure.delete(DataSubject(tenant=tenant, user=ALICE))

    assert await counted(outside, tenant, ALICE) == NONE
    assert (await counted(outside, tenant, LONGER))["runs"] == 500 + 1


async def raw_keys(azure: Azure, tenant: TenantId) -> set[tuple[str, str]]:
    """Table and row key of all there is."""
    found: set[tuple[str, str]] = set()
    for name in TABLE_NAMES:
        rows = azure._tables[name].query_entities(
            "PartitionKey eq @tenant", parameters=plain({"tenant": tenant}), select=["RowKey"]
        )
        found |= {(name, row["RowKey"]) async for row in rows}
    return found


@pytest.mark.stack
async def test_a_listing_of_every_table_past_the_stores_finds_what_the_counts_say(
    azure: Azure, tenant: TenantId, admitted_azure: None
) -> None:
    await fill(azure, tenant)
    before = await raw_keys(azure, tenant)

    await azure.erasure.delete(DataSubject(tenant=tenant, user=ALICE))

    gone = before - await raw_keys(azure, tenant)
    assert len(gone) == sum(OF_ONE.values())
    assert {key for _, key in gone if LONGER in key or BOB in key} == set()
    await azure.erasure.delete(DataSubject(tenant=tenant))
    left = await raw_keys(azure, tenant)
    assert left == {("tenantkeys", "v1"), ("tenantkeys", "v2"), ("deletions", "d-one")}


BATCH = "/devstoreaccount1/$batch"
RUNS = "/devstoreaccount1/runs"
STRANGE_KEYS = ("a", "zzz", "~tilde", "\u00e4", "\uff5e", "A", "0", "run|", "gate|", "gate}")


@pytest.mark.stack
@pytest.mark.parametrize("name", [name for name in TABLE_NAMES if name != "deletions"])
async def test_rows_of_no_known_kind_are_counted_and_go_with_the_tenant(
    azure: Azure, tenant: TenantId, name: str
) -> None:
    for key in STRANGE_KEYS:
        row = plain({"PartitionKey": tenant, "RowKey": key})
        await azure._tables.for_restoring(name).create_entity(row)

    assert (await counted(azure, tenant))[name] == len(STRANGE_KEYS)
    await azure.erasure.delete(DataSubject(tenant=tenant))
    left = len(STRANGE_KEYS) if name == "tenantkeys" else 0
    assert (await counted(azure, tenant))[name] == left


@pytest.mark.stack
@pytest.mark.parametrize("name", ["pending", "runs"])
async def test_rows_of_no_known_kind_go_with_the_user_whose_they_are(
    azure: Azure, tenant: TenantId, name: str
) -> None:
    for key in STRANGE_KEYS:
        for user in (ALICE, LONGER):
            row = plain({"PartitionKey": tenant, "RowKey": f"{key}{user}", "user_id": user})
            await azure._tables.for_restoring(name).create_entity(row)

    await azure.erasure.delete(DataSubject(tenant=tenant, user=ALICE))

    assert {key for _, key in await raw_keys(azure, tenant)} == {
        f"{key}{LONGER}" for key in STRANGE_KEYS
    }


@pytest.mark.stack
@pytest.mark.parametrize("user", [ALICE, None], ids=["a-users", "the-tenants"])
async def test_d06_what_an_outage_interrupts_is_made_up_for(
    azure: Azure, control: ControlClient, tenant: TenantId, user: UserId | None
) -> None:
    await azure.gates.open(tenant)
    await started(azure.runs, [run_row(tenant, f"{n}", later=n) for n in range(250)])
    subject = DataSubject(tenant=tenant, user=user)
    down = {"target": "tables", "match": BATCH, "fault": "status", "value": 503, "times": 99}
    control.post("/_sim/faults", down)
    try:
        with pytest.raises(StorageFailedError):
            await azure.erasure.delete(subject)
    finally:
        control.clear_faults()

    assert sum((await azure.erasure.count(subject)).values()) >= 250
    await azure.erasure.delete(subject)
    assert await azure.erasure.count(subject) == NONE


@pytest.mark.stack
async def test_d06_a_page_that_is_lost_half_way_is_made_up_for(
    azure: Azure, control: ControlClient, tenant: TenantId
) -> None:
    """The second page of the listing fails: its thousand is left, and goes at the next try."""
    await started(azure.runs, [run_row(tenant, f"{n}", later=n) for n in range(1_500)])
    subject = DataSubject(tenant=tenant)
    pages = azure.erasure._pages("runs", subject)  # type: ignore[attr-defined]
    first = await anext(pages)
    down = {"target": "tables", "match": RUNS, "fault": "status", "value": 503, "times": 99}
    control.post("/_sim/faults", down)
    try:
        with pytest.raises(StorageFailedError):
            await anext(pages)
    finally:
        control.clear_faults()

    assert len(first) == 1_000
    await azure.erasure.delete(subject)
    assert await azure.erasure.count(subject) == NONE
