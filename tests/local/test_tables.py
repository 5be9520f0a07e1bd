"""Azurite behind its proxy, driven by azure-data-tables with a token of the managed identity."""

from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.identity.aio import ManagedIdentityCredential

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack


@pytest.fixture
async def tables(
    stack: StackInfo, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TableServiceClient]:
    monkeypatch.setenv("IDENTITY_ENDPOINT", stack.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", scene.IDENTITY_HEADER)
    network = pinned_network(stack)
    async with (
        ManagedIdentityCredential() as credential,
        TableServiceClient(
            stack.tables,
            credential=credential,
            transport=AioHttpTransport(session=network.session(), session_owner=False),
            retry_total=0,
        ) as client,
    ):
        yield client
    await network.close()


@pytest.fixture
async def table(tables: TableServiceClient) -> AsyncIterator[TableClient]:
    name = f"t{uuid4().hex}"
    yield await tables.create_table(name)
    await tables.delete_table(name)


def entity(row: str, **properties: object) -> dict[str, object]:
    return {"PartitionKey": "contoso", "RowKey": row, **properties}


async def test_an_entity_comes_back_as_it_was(table: TableClient) -> None:
    stored = entity("1 ä'%2f+&", sealed=b"\x00\xff", count=7, text="ü € '")
    await table.create_entity(stored)

    assert await table.get_entity("contoso", "1 ä'%2f+&") == stored


async def test_an_entity_is_created_once_and_gone_when_deleted(table: TableClient) -> None:
    await table.create_entity(entity("1"))
    with pytest.raises(ResourceExistsError):
        await table.create_entity(entity("1"))
    await table.delete_entity("contoso", "1")

    with pytest.raises(ResourceNotFoundError):
        await table.get_entity("contoso", "1")


async def test_an_update_with_a_stale_etag_is_refused(table: TableClient) -> None:
    first = (await table.create_entity(entity("1", count=1)))["etag"]
    await table.update_entity(entity("1", count=2), mode=UpdateMode.REPLACE)

    with pytest.raises(ResourceModifiedError) as refused:
        await table.update_entity(
            entity("1", count=3), etag=first, match_condition=MatchConditions.IfNotModified
        )

    assert refused.value.status_code == 412
    assert (await table.get_entity("contoso", "1"))["count"] == 2


async def test_a_hundred_operations_are_one_transaction(table: TableClient) -> None:
    await table.submit_transaction([("create", entity(f"{n:03}")) for n in range(100)])

    rows = [row["RowKey"] async for row in table.list_entities()]
    assert rows == [f"{n:03}" for n in range(100)]


async def test_a_transaction_that_fails_changes_nothing(table: TableClient) -> None:
    await table.create_entity(entity("2"))

    with pytest.raises(TableTransactionError):
        await table.submit_transaction([("create", entity(row)) for row in ("1", "2")])

    assert [row["RowKey"] async for row in table.list_entities()] == ["2"]


async def test_a_long_answer_comes_in_pages(table: TableClient) -> None:
    for hundred in range(3):
        rows = [("create", entity(f"{hundred}{n:02}")) for n in range(100)]
        await table.submit_transaction(rows)

    pages = [
        [row async for row in page]
        async for page in table.list_entities(results_per_page=120).by_page()
    ]

    assert [len(page) for page in pages] == [120, 120, 60]


async def test_a_fault_of_the_table_service_reaches_the_sdk(
    table: TableClient, control: ControlClient
) -> None:
    fault = {"fault": "status", "value": 503, "match": f"/{scene.STORAGE_ACCOUNT}/"}
    control.post("/_sim/faults", {"target": "tables", **fault})

    with pytest.raises(HttpResponseError) as failed:
        await table.get_entity("contoso", "1")

    assert failed.value.status_code == 503
    await table.create_entity(entity("1"))


async def test_a_write_whose_answer_is_lost_was_carried_out(
    table: TableClient, control: ControlClient
) -> None:
    fault = {"fault": "reset_after", "match": f"/{scene.STORAGE_ACCOUNT}/"}
    control.post("/_sim/faults", {"target": "tables", **fault})

    with pytest.raises(ServiceRequestError):
        await table.create_entity(entity("1"))

    assert (await table.get_entity("contoso", "1"))["RowKey"] == "1"


async def test_a_token_for_another_resource_is_refused(stack: StackInfo) -> None:
    network = pinned_network(stack)
    headers = {"X-IDENTITY-HEADER": scene.IDENTITY_HEADER}
    query = {"resource": "https://vault.azure.net", "api-version": "2019-08-01"}
    async with aiohttp.ClientSession() as http:
        issued = await http.get(stack.identity_endpoint, params=query, headers=headers)
        token = (await issued.json())["access_token"]

    answer = await network.session().get(
        f"{stack.tables}/Tables", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status == 403
    await network.close()


async def test_a_reset_empties_every_table_and_keeps_it(
    table: TableClient, control: ControlClient
) -> None:
    await table.submit_transaction([("create", entity(f"{n:03}")) for n in range(100)])

    control.post("/_sim/reset")

    assert [row async for row in table.list_entities()] == []
    await table.create_entity(entity("1"))
