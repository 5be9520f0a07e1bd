"""D-01: of many who write with one ETag one wins. D-10, D-11: what a row cannot hold is refused
before it is sent. D-13: a transaction that fails at any of its rows has written none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import pytest

from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.model.schema import TABLES, Kind
from shared.outside import Azure
from shared.storage.entity_groups import RefusedError, Write
from shared.storage.schema_gate import check_row
from shared.storage.tables import (
    delete_as_read,
    etag_of,
    get,
    insert,
    merge,
    plain,
    replace_as_read,
    store_call,
)
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.worker_settings import settings_on

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

WRITERS: Final = 32
WHEN: Final = datetime(2026, 1, 15, 12, 30, 15, 123456, tzinfo=UTC)
KEY: Final = 1_024
VALUE: Final = 64 * 1_024
ROW: Final = 1_024**2


@pytest.fixture
async def azure(stack: StackInfo, identity_endpoint: None) -> AsyncIterator[Azure]:
    outside = Azure(settings_on(stack), pinned_network(stack))
    yield outside
    await outside.close()


@pytest.fixture
def tenant() -> TenantId:
    return TenantId.parse(f"ms-{uuid4()}")


# --- D-01 ----------------------------------------------------------------------------------------

type Row = tuple[str, Mapping[str, Any], str]
"""Table, row, and the column that each writer sets."""

ROWS: Final[Mapping[str, Row]] = {
    "a-connection": ("connections", {"RowKey": "u-alice|00D", "health": "active"}, "lease_holder"),
    "the-settings-of-a-tenant": ("tenants", {"RowKey": "tenant", "settings": "{}"}, "settings"),
    "a-lease": ("tenants", {"RowKey": "lease|retention", "holder": "one"}, "holder"),
    "a-deletion": ("deletions", {"RowKey": "d-one", "state": "requested"}, "state"),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("way", ["merge", "replace", "delete"])
async def test_d01_of_32_writers_with_one_etag_one_wins_and_31_are_told(
    azure: Azure,
    tenant: TenantId,
    name: str,
    way: str,
) -> None:
    table_name, columns, column = ROWS[name]
    table = azure._tables[table_name]
    row = {"PartitionKey": tenant, **columns}
    assert await insert(table, row)
    found = await get(table, tenant, row["RowKey"])
    assert found is not None
    etag = etag_of(found)

    async def write(number: int) -> bool:
        wanted = {**row, column: f"writer-{number}"}
        if way == "merge":
            return await merge(table, wanted, etag=etag)
        if way == "replace":
            return await replace_as_read(table, wanted, etag) is not None
        return await delete_as_read(table, row, etag)

    told = await asyncio.gather(*(write(number) for number in range(WRITERS)))

    assert told.count(True) == 1
    assert told.count(False) == WRITERS - 1
    left = await get(table, tenant, row["RowKey"])
    if way == "delete":
        assert left is None
    else:
        assert left is not None
        assert left[column] == f"writer-{told.index(True)}"


# --- D-10 and D-11 -------------------------------------------------------------------------------

type Send = Callable[[Azure, Mapping[str, Any]], Awaitable[object]]


async def by_the_sdk(outside: Azure, row: Mapping[str, Any]) -> None:
    await insert(outside._tables["runs"], row)


async def in_a_transaction(outside: Azure, row: Mapping[str, Any]) -> None:
    async with store_call():
        await outside._tables["runs"].submit_transaction([("create", plain(row))])


async def in_a_group(outside: Azure, row: Mapping[str, Any]) -> None:
    async with store_call():
        await outside._tables.groups.submit("runs", [Write(kind="insert", entity=row)])


WAYS: Final = pytest.mark.parametrize("send", [by_the_sdk, in_a_transaction, in_a_group])


def run_row(tenant: str, **columns: object) -> dict[str, Any]:
    return {"PartitionKey": tenant, "RowKey": "run|1|r-one", "started_at": WHEN, **columns}


UNFIT: Final = [
    *"/\\#?",
    *(chr(code) for code in (0, 9, 10, 13, 31, 127, 128, 159)),
]


@WAYS
@pytest.mark.parametrize("character", UNFIT, ids=lambda one: f"U+{ord(one):04X}")
async def test_d10_a_character_that_no_key_may_have_is_refused_before_it_is_sent(
    azure: Azure,
    tenant: TenantId,
    send: Send,
    character: str,
) -> None:
    for row in (
        run_row(tenant, RowKey=f"run|1|r{character}one"),
        run_row(f"{tenant}{character}"),
    ):
        with pytest.raises(StorageFailedError):
            await send(azure, row)
    assert azure._network._session is None, "it was sent"


@WAYS
@pytest.mark.parametrize(
    "text", ["o'neil''s", "%2f%27", "Zoë 京都 \U0001f600", "a b+c&d=e;:@", "('x')"]
)
async def test_d10_any_other_character_comes_back_as_it_was(
    azure: Azure,
    tenant: TenantId,
    rows: AzuriteRows,
    send: Send,
    text: str,
) -> None:
    """Read past the service; and changed under the same key, which is then part of an address."""
    key = f"run|1|{text}"
    await send(azure, run_row(tenant, RowKey=key, outcome=text))
    changed = {"PartitionKey": tenant, "RowKey": key, "flow_id": text}
    async with store_call():
        await azure._tables.groups.submit("runs", [Write(kind="merge", entity=changed)])

    (row,) = rows.of(tenant)["runs"]
    assert (row["RowKey"], row["outcome"], row["flow_id"]) == (key, text, text)


@WAYS
@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"outcome": "x" * (VALUE // 2 + 1)}, id="text"),
        pytest.param({"outcome": "\u4eac" * (VALUE // 2 + 1)}, id="text-of-two-bytes"),
        pytest.param({"outcome": "\U0001f600" * (VALUE // 4 + 1)}, id="text-of-four-bytes"),
        pytest.param({"RowKey": "run|" + "x" * (KEY // 2 - 3)}, id="row-key"),
    ],
)
async def test_d11_what_is_too_large_is_refused_before_it_is_sent(
    azure: Azure,
    tenant: TenantId,
    send: Send,
    columns: dict[str, object],
) -> None:
    with pytest.raises(StorageFailedError):
        await send(azure, run_row(tenant, **columns))
    assert azure._network._session is None, "it was sent"


@WAYS
async def test_d11_the_largest_that_there_may_be_is_written(
    azure: Azure,
    tenant: TenantId,
    rows: AzuriteRows,
    send: Send,
) -> None:
    largest = {
        "RowKey": "run|" + "x" * (KEY // 2 - 4),
        "outcome": "x" * (VALUE // 2),
        "flow_id": "\U0001f600" * (VALUE // 4),
    }
    await send(azure, run_row(tenant, **largest))

    (row,) = rows.of(tenant)["runs"]
    assert {name: row[name] for name in largest} == largest


def test_d11_bytes_have_the_same_limit_as_text() -> None:
    row = {"PartitionKey": "t", "RowKey": "tenant"}
    check_row("tenants", {**row, "sealed_directory": bytes(VALUE)})
    with pytest.raises(StorageFailedError):
        check_row("tenants", {**row, "sealed_directory": bytes(VALUE + 1)})


KINDS: Final = [
    pytest.param(kind, id=kind.name) for table in TABLES.values() for kind in table.kinds
]


@pytest.mark.parametrize("kind", KINDS)
def test_d11_no_row_can_be_larger_than_the_service_takes(kind: Kind) -> None:
    """With every column as large as it may be, its name and its type."""
    columns = sum(2 * len(name) + 8 + VALUE for name in kind.column_names)

    assert columns <= ROW + 2 * (VALUE - KEY)  # of these, two are the keys


# --- D-13 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(10))
@pytest.mark.parametrize("why", ["taken", "gone", "twice"])
async def test_d13_a_transaction_that_fails_at_any_row_has_written_none(
    azure: Azure,
    tenant: TenantId,
    rows: AzuriteRows,
    at: int,
    why: str,
) -> None:
    taken = run_row(tenant, RowKey="run|0|r-taken", outcome="started")
    await by_the_sdk(azure, taken)
    before = rows.of(tenant)["runs"]
    writes = [
        Write(kind="insert", entity=run_row(tenant, RowKey=f"run|{number}|r-new"))
        for number in range(10)
    ]
    culprit = {
        "taken": Write(kind="insert", entity={**taken, "outcome": "succeeded"}),
        "gone": Write(kind="merge", entity=run_row(tenant, RowKey="run|9|r-gone")),
        "twice": writes[at - 1],
    }
    writes[at] = culprit[why]

    with pytest.raises(RefusedError) as caught:
        async with store_call():
            await azure._tables.groups.submit("runs", writes)

    codes = {
        "taken": "EntityAlreadyExists",
        "gone": "ResourceNotFound",
        "twice": "InvalidDuplicateRow",
    }
    assert caught.value.code == codes[why]
    if why != "twice":
        assert caught.value.index == at
    assert rows.of(tenant)["runs"] == before
