"""D-12: a row that lacks a column, or holds something else there, is a failure of the store: never
a crash, a half-read value, or an empty answer. The fakes cannot have such rows."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import PendingKind, TenantId
from shared.outside import Azure
from shared.storage.runs import run_row_key
from tests.contract.rows import (
    ALICE,
    connection_row,
    idempotency,
    pending_row,
    run_row,
    tenant_row,
    user_row,
    wrapped_key,
)
from tests.fakes import CONTOSO_ORG

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("admitted_azure")]

MISSING = object()
type Read = Callable[[], Awaitable[object]]


async def spoil(azure: Azure, table: str, row_key: str, tenant: str, column: str, to: Any) -> None:  # noqa: ANN401 - whatever a row can hold
    """Replace one column of a stored row, or (MISSING) take it away."""
    client = azure._tables[table]
    row = dict(await client.get_entity(tenant, row_key))
    assert column in row, f"{table} has no column {column}"
    row[column] = to
    if to is MISSING:
        del row[column]
    await client.upsert_entity(row, mode="replace")


@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("settings", MISSING, id="no-settings"),
        pytest.param("settings", "{", id="settings-are-no-json"),
        pytest.param("settings", "[]", id="settings-are-no-object"),
        pytest.param("settings", '{"allowed_orgs": ["00Dx"]}', id="an-org-that-is-none"),
        pytest.param("settings", '{"allowed_orgs": 5}', id="allowed-orgs-are-no-list"),
        pytest.param("status", MISSING, id="no-status"),
        pytest.param("epoch", "none", id="epoch-is-no-number"),
        pytest.param("created_at", "yesterday", id="created-is-no-time"),
        pytest.param("sealed_directory", MISSING, id="no-directory"),
        pytest.param("sealed_pseudonym_key", "text", id="key-is-text"),
    ],
)
async def test_d12_a_tenant_row(azure: Azure, tenant: TenantId, column: str, to: object) -> None:
    await azure.tenants.create(tenant_row(tenant))
    await spoil(azure, "tenants", "tenant", tenant, column, to)

    with pytest.raises(StorageFailedError):
        await azure.tenants.load(tenant)


async def test_d12_a_flow_name(azure: Azure, tenant: TenantId) -> None:
    await azure.tenants.remember_flow_name(tenant, "f-one", b"name")
    await spoil(azure, "tenants", "flow|f-one", tenant, "sealed_name", MISSING)

    with pytest.raises(StorageFailedError):
        await azure.tenants.sealed_flow_names(tenant)


@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("wrapped", MISSING, id="no-key"),
        pytest.param("wrapped", "text", id="key-is-text"),
        pytest.param("kek_id", MISSING, id="no-kek"),
        pytest.param("created_at", 5, id="created-is-no-time"),
    ],
)
async def test_d12_a_wrapped_key(azure: Azure, tenant: TenantId, column: str, to: object) -> None:
    await azure.tenant_keys.create(wrapped_key(tenant, 1))
    await spoil(azure, "tenantkeys", "v1", tenant, column, to)

    await expect_failure(lambda: azure.tenant_keys.all(tenant))


@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("sealed_identity", MISSING, id="no-identity"),
        pytest.param("sealed_identity", "text", id="identity-is-text"),
        pytest.param("epoch", MISSING, id="no-epoch"),
        pytest.param("created_at", "2026-01-15", id="created-is-text"),
        pytest.param("last_seen_day", MISSING, id="no-day"),
    ],
)
async def test_d12_a_user_row(azure: Azure, tenant: TenantId, column: str, to: object) -> None:
    await azure.users.create(user_row(tenant))
    await spoil(azure, "users", ALICE, tenant, column, to)

    with pytest.raises(StorageFailedError):
        await azure.users.load(tenant, ALICE)


@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("org_id", MISSING, id="no-org"),
        pytest.param("org_id", "00D", id="an-org-that-is-none"),
        pytest.param("org_id", 5, id="org-is-a-number"),
        pytest.param("health", "unheard-of", id="health-of-a-future-version"),
        pytest.param("generation", "one", id="generation-is-no-number"),
        pytest.param("sealed_grant", MISSING, id="no-grant"),
        pytest.param("sealed_grant", "text", id="grant-is-text"),
        pytest.param("consent", MISSING, id="no-consent"),
        pytest.param("connected_at", True, id="connected-is-no-time"),
        pytest.param("refreshed_at", MISSING, id="never-refreshed"),
        pytest.param("refreshed_at", "noon", id="refreshed-is-no-time"),
        pytest.param("last_used_day", MISSING, id="no-day"),
        pytest.param("lease_until", MISSING, id="a-lease-without-end"),
    ],
)
async def test_d12_a_connection_row(
    azure: Azure, tenant: TenantId, column: str, to: object
) -> None:
    row = connection_row(tenant)
    await azure.connections.create(row)
    leased = {"lease_holder": "holder", "lease_until": datetime.now(UTC)}
    keys = {"PartitionKey": str(tenant), "RowKey": row.row_key}
    await azure._tables["connections"].update_entity(keys | leased, mode="merge")
    await spoil(azure, "connections", row.row_key, tenant, column, to)

    await expect_failure(
        lambda: azure.connections.load(tenant, ALICE, CONTOSO_ORG),
        lambda: azure.connections.of_user(tenant, ALICE),
    )


@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("user_id", MISSING, id="no-user"),
        pytest.param("sealed", "text", id="sealed-is-text"),
        pytest.param("expires_at", MISSING, id="no-end"),
        pytest.param("expires_at", "never", id="end-is-no-time"),
    ],
)
async def test_d12_a_pending_row(azure: Azure, tenant: TenantId, column: str, to: object) -> None:
    await azure.pending.put(pending_row(tenant, "digest"))
    await spoil(azure, "pending", "ticket|digest", tenant, column, to)

    with pytest.raises(StorageFailedError):
        await azure.pending.take(tenant, PendingKind.TICKET, "digest")


@pytest.mark.parametrize(
    ("column", "to"),
    [
        pytest.param("run_id", MISSING, id="no-id"),
        pytest.param("user_id", MISSING, id="no-user"),
        pytest.param("org_id", "00D", id="an-org-that-is-none"),
        pytest.param("outcome", "unheard-of", id="outcome-of-a-future-version"),
        pytest.param("started_at", "noon", id="start-is-no-time"),
    ],
)
async def test_d12_a_run_row(azure: Azure, tenant: TenantId, column: str, to: object) -> None:
    run = run_row(tenant, "one")
    await azure.runs.start(run, idempotency("key"))
    await spoil(azure, "runs", run_row_key(run), tenant, column, to)

    await expect_failure(
        lambda: azure.runs.page(tenant, None, after=None, limit=10),
        lambda: azure.runs.start(run_row(tenant, "two"), idempotency("key")),
    )


@pytest.mark.parametrize("column", ["body_digest", "run_row"])
async def test_d12_an_idempotency_row(azure: Azure, tenant: TenantId, column: str) -> None:
    await azure.runs.start(run_row(tenant, "one"), idempotency("key"))
    await spoil(azure, "runs", "idem|key", tenant, column, MISSING)

    await expect_failure(lambda: azure.runs.start(run_row(tenant, "two"), idempotency("key")))


async def test_d12_an_unreadable_row_of_one_user_harms_no_other(
    azure: Azure, tenant: TenantId, other_tenant: TenantId
) -> None:
    stores: ports.Outside = azure
    row = connection_row(tenant)
    await stores.connections.create(row)
    await stores.connections.create(connection_row(other_tenant))
    await spoil(azure, "connections", row.row_key, tenant, "health", MISSING)

    assert await stores.connections.of_user(other_tenant, ALICE) == [connection_row(other_tenant)]


async def expect_failure(*reads: Read) -> None:
    for read in reads:
        with pytest.raises(StorageFailedError):
            await read()
