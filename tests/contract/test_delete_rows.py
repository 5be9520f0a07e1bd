"""Deleting many rows: transactions of a hundred, each as a whole or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.data.tables.aio import TableClient

from local.stack_info import StackInfo
from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.outside import Azure
from shared.storage.batches import delete_rows
from shared.storage.gates import TENANT_GATE, insert_through, renew_through
from shared.storage.tables import plain
from tests.contract.rows import run_row
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack

BATCH = "/devstoreaccount1/$batch"


class CountedTransactions(SansIOHTTPPolicy[Any, Any]):
    """Sees every call of a client once, whatever its retries."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """The operations of a transaction are requests inside a request inside the request."""
        if request.http_request.url.endswith("$batch"):
            (operations,) = request.http_request.multipart_mixed_info[0]
            self.sizes.append(len(operations.multipart_mixed_info[0]))


@pytest.fixture
def counted() -> CountedTransactions:
    return CountedTransactions()


@pytest.fixture
async def table(
    stack: StackInfo, azure: Azure, counted: CountedTransactions
) -> AsyncIterator[TableClient]:
    async with TableClient(
        stack.tables,
        "runs",
        credential=azure._credential,
        transport=azure._azure_transport(),
        per_call_policies=[counted],
    ) as client:
        yield client


def keys(count: int) -> list[str]:
    return [f"run|{n:03}" for n in range(count)]


async def written(azure: Azure, tenant: TenantId, row_keys: list[str]) -> None:
    table = azure._tables.for_restoring("runs")
    for start in range(0, len(row_keys), 100):
        rows = [{"PartitionKey": str(tenant), "RowKey": k} for k in row_keys[start : start + 100]]
        await table.submit_transaction([("create", row) for row in rows])


async def left(azure: Azure, tenant: TenantId) -> list[str]:
    rows = azure._tables["runs"].query_entities(
        "PartitionKey eq @tenant", parameters={"tenant": str(tenant)}, select=["RowKey"]
    )
    return [row["RowKey"] async for row in rows]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (99, [99]),
        (100, [100]),
        (101, [1, 100]),
        (200, [100, 100]),
        (250, [50, 100, 100]),
    ],
)
async def test_rows_go_a_hundred_a_transaction(
    azure: Azure,
    table: TableClient,
    counted: CountedTransactions,
    tenant: TenantId,
    other_tenant: TenantId,
    count: int,
    sizes: list[int],
) -> None:
    await written(azure, tenant, [*keys(count), "run|stays"])
    await written(azure, other_tenant, keys(1))

    assert await delete_rows(table, tenant, keys(count)) == count

    assert sorted(counted.sizes) == sizes
    assert await left(azure, tenant) == ["run|stays"]
    assert await left(azure, other_tenant) == keys(1)


@pytest.mark.parametrize(
    "gone",
    [[0], [1], [6], [2, 3], [0, 3, 6], [0, 1, 2, 3, 4, 5, 6]],
    ids=["first", "second", "last", "two", "three", "all"],
)
async def test_rows_that_are_gone_already_are_no_error_and_not_counted(
    azure: Azure, table: TableClient, tenant: TenantId, gone: list[int]
) -> None:
    there = [key for n, key in enumerate(keys(7)) if n not in gone]
    await written(azure, tenant, [*there, "run|stays"])

    assert await delete_rows(table, tenant, keys(7)) == len(there)

    assert await left(azure, tenant) == ["run|stays"]


async def test_of_four_who_delete_the_same_rows_each_row_is_counted_by_one(
    azure: Azure, tenant: TenantId
) -> None:
    await written(azure, tenant, keys(30))
    table = azure._tables["runs"]

    deleted = await asyncio.gather(
        *(delete_rows(table, tenant, keys(30)[start:]) for start in (0, 10, 20, 0))
    )

    assert sum(deleted) == 30
    assert await left(azure, tenant) == []


async def test_d13_a_transaction_that_fails_leaves_all_of_its_rows(
    azure: Azure, control: ControlClient, tenant: TenantId
) -> None:
    await written(azure, tenant, keys(250))
    outage(control)
    try:
        with pytest.raises(StorageFailedError):
            await delete_rows(azure._tables["runs"], tenant, keys(250))
    finally:
        control.clear_faults()

    assert await left(azure, tenant) == keys(250)
    assert await delete_rows(azure._tables["runs"], tenant, keys(250)) == 250
    assert await left(azure, tenant) == []


async def test_d13_what_another_transaction_did_stays_done_and_all_are_waited_for(
    azure: Azure, control: ControlClient, tenant: TenantId
) -> None:
    """One of three fails: of each hundred all rows are left, or none."""
    await written(azure, tenant, keys(300))
    control.post("/_sim/faults", {"target": "tables", "match": BATCH, "fault": "html", "times": 1})
    try:
        with pytest.raises(StorageFailedError):
            await delete_rows(azure._tables["runs"], tenant, keys(300))
    finally:
        control.clear_faults()

    found = set(await left(azure, tenant))
    hundreds = [keys(300)[start : start + 100] for start in (0, 100, 200)]
    kept = [hundred for hundred in hundreds if found & set(hundred)]
    assert len(kept) == 1
    assert found == set(kept[0])


async def test_d13_of_an_insert_that_fails_at_its_last_row_nothing_is_written(
    azure: Azure, tenant: TenantId
) -> None:
    """Neither the rows before it, nor anything at the gate."""
    table = azure._tables["runs"]
    await azure.gates.open(tenant)
    before = await table.get_entity(tenant, TENANT_GATE)
    await written(azure, tenant, ["run|taken"])
    rows = [{"PartitionKey": tenant, "RowKey": key} for key in ("run|a", "run|b", "run|taken")]

    assert not await insert_through(table, TENANT_GATE, *rows)

    assert await left(azure, tenant) == [TENANT_GATE, "run|taken"]
    after = await table.get_entity(tenant, TENANT_GATE)
    assert after.metadata["etag"] == before.metadata["etag"]


async def test_a_table_that_is_not_there_is_a_failure_of_the_store(
    azure: Azure, tenant: TenantId
) -> None:
    """Not a gate that is closed, nor rows that are gone: both would be answered with calm."""
    table = azure._tables.for_restoring("nosuchtable")
    row = plain({"PartitionKey": tenant, "RowKey": run_row(tenant, "one").id})

    with pytest.raises(StorageFailedError):
        await insert_through(table, TENANT_GATE, row)
    with pytest.raises(StorageFailedError):
        await renew_through(table, TENANT_GATE, row, 'W/"etag"')
    with pytest.raises(StorageFailedError):
        await delete_rows(table, tenant, keys(3))


def outage(control: ControlClient) -> None:
    fault = {"target": "tables", "match": BATCH, "fault": "status", "value": 503, "times": 99}
    control.post("/_sim/faults", fault)
