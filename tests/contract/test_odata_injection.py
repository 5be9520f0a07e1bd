"""D-09: an id that is a piece of OData is an id like any other, and finds nothing."""

import base64

import pytest

from shared import ports
from shared.model import DataSubject, PendingKind, TenantId, UserId
from shared.outside import Azure
from tests.contract.rows import (
    ALICE,
    connection_row,
    discarded_row,
    idempotency,
    pending_row,
    run_row,
    tenant_row,
    user_row,
)
from tests.fakes import CONTOSO_ORG, NOON

INJECTIONS = pytest.mark.parametrize(
    "text",
    [
        pytest.param("A' or PartitionKey ne 'zzz", id="or-everything"),
        pytest.param("' or '1' eq '1", id="always-true"),
        pytest.param("u-alice' or RowKey ge '", id="every-row"),
        pytest.param("'", id="a-quote"),
        pytest.param("''", id="two-quotes"),
        pytest.param("@tenant", id="a-parameter-of-the-query"),
    ],
)


@pytest.fixture
async def filled(
    outside: ports.Outside, tenant: TenantId, other_tenant: TenantId, admitted: None
) -> ports.Outside:
    """Both tenants have a row in every table."""
    for owner in (tenant, other_tenant):
        await outside.tenants.create(tenant_row(owner))
        await outside.users.create(user_row(owner))
        await outside.connections.create(connection_row(owner))
        await outside.outbox.put(discarded_row(owner))
        await outside.pending.put(pending_row(owner, "digest"))
        await outside.runs.start(run_row(owner, "one"), idempotency("key"))
    return outside


@INJECTIONS
async def test_d09_as_a_user_it_has_no_rows(
    filled: ports.Outside, tenant: TenantId, text: str
) -> None:
    user = UserId(text)

    assert await filled.users.load(tenant, user) is None
    assert await filled.connections.load(tenant, user, CONTOSO_ORG) is None
    assert list(await filled.connections.of_user(tenant, user)) == []
    assert await filled.outbox.of_subject(DataSubject(tenant=tenant, user=user)) == ([], 0)
    assert (await filled.runs.page(tenant, user, after=None, limit=10)).runs == ()


@INJECTIONS
async def test_d09_as_a_tenant_it_has_no_rows(filled: ports.Outside, text: str) -> None:
    tenant = TenantId(text)

    assert await filled.tenants.load(tenant) is None
    assert await filled.tenants.sealed_flow_names(tenant) == {}
    assert await filled.users.load(tenant, ALICE) is None
    assert list(await filled.connections.of_user(tenant, ALICE)) == []
    assert list(await filled.connections.idle(tenant, since=NOON)) == []
    assert await filled.outbox.of_subject(DataSubject(tenant=tenant)) == ([], 0)
    assert (await filled.runs.page(tenant, None, after=None, limit=10)).runs == ()


@INJECTIONS
async def test_d09_as_a_code_it_takes_nothing(
    filled: ports.Outside, tenant: TenantId, text: str
) -> None:
    assert await filled.pending.take(tenant, PendingKind.TICKET, text) is None
    assert await filled.pending.claim(tenant, text, at=NOON) is None
    assert await filled.pending.take(tenant, PendingKind.TICKET, "digest") is not None


@INJECTIONS
async def test_d09_as_an_idempotency_key_it_is_a_key_of_its_own(
    filled: ports.Outside, tenant: TenantId, text: str
) -> None:
    run = run_row(tenant, "two", later=1)

    assert await filled.runs.start(run, idempotency(text)) is None
    assert await filled.runs.start(run_row(tenant, "three"), idempotency(text)) == run


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@INJECTIONS
async def test_d09_as_a_paging_token_it_shows_no_more_than_the_tenants_own_runs(
    azure: Azure, tenant: TenantId, other_tenant: TenantId, text: str
) -> None:
    """The token of the table is a row key; the fake has tokens of its own."""
    for owner in (tenant, other_tenant):
        await azure.runs.start(run_row(owner, "one"), None)
    token = base64.urlsafe_b64encode(f"run|{text}".encode()).decode()

    page = await azure.runs.page(tenant, None, after=token, limit=10)

    assert {run.tenant for run in page.runs} <= {tenant}
