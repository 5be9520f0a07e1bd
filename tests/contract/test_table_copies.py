"""What every copier of rows promises: the fake, and the tables in Azurite."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.model.backups import Row
from shared.outside import Azure
from shared.storage import TABLE_NAMES
from tests.contract.rows import ALICE, EXACT, run_row, tenant_row, user_row

EVERY_TYPE: Row = {
    "RowKey": "row",
    "text": "ü € ' 😀",
    "nothing": "",
    "like_a_time": "2026-01-15T12:30:15.123456+00:00",
    "yes": True,
    "no": False,
    "one": 1,
    "negative": -1,
    "large": 2**40,
    "real": 1.5,
    "whole": 2.0,
    "bytes": b"\x00\xff{}",
    "no_bytes": b"",
    "time": EXACT,
}


@pytest.fixture
def copies(outside: ports.Outside) -> ports.TableCopies:
    return outside.copies


async def rows_of(copies: ports.TableCopies, table: str, tenant: TenantId) -> Sequence[Row]:
    return [row async for row in copies.rows(table, tenant)]


def typed(row: Row) -> dict[str, tuple[type, object]]:
    """1, 1.0 and True are equal; their types are not."""
    return {name: (type(value), value) for name, value in row.items()}


async def test_a_row_comes_back_as_it_was_with_the_types_of_its_columns(
    copies: ports.TableCopies, tenant: TenantId
) -> None:
    await copies.insert("runs", tenant, [EVERY_TYPE])

    (found,) = await rows_of(copies, "runs", tenant)

    assert typed(found) == typed(EVERY_TYPE)


async def test_a_time_comes_back_in_utc(copies: ports.TableCopies, tenant: TenantId) -> None:
    noon_in_paris = datetime(2026, 1, 15, 13, tzinfo=timezone(timedelta(hours=1)))
    await copies.insert("runs", tenant, [{"RowKey": "row", "time": noon_in_paris}])

    (found,) = await rows_of(copies, "runs", tenant)

    assert found["time"] == datetime(2026, 1, 15, 12, tzinfo=UTC)


async def test_rows_come_in_the_order_of_their_keys_however_many(
    copies: ports.TableCopies, tenant: TenantId
) -> None:
    keys = [f"run|{number:04}" for number in range(1_250)]
    await copies.insert("runs", tenant, [{"RowKey": key} for key in reversed(keys)])

    assert [row["RowKey"] for row in await rows_of(copies, "runs", tenant)] == keys


async def test_rows_are_the_tenants_own(
    copies: ports.TableCopies, tenant: TenantId, other_tenant: TenantId
) -> None:
    row: Row = {"RowKey": "row", "PartitionKey": str(other_tenant)}
    await copies.insert("runs", tenant, [row])

    assert len(await rows_of(copies, "runs", tenant)) == 1
    assert await rows_of(copies, "runs", other_tenant) == []


async def test_a_key_that_is_taken_is_a_failure_and_its_row_stays(
    copies: ports.TableCopies, tenant: TenantId
) -> None:
    await copies.insert("runs", tenant, [{"RowKey": "row", "first": True}])

    with pytest.raises(StorageFailedError):
        await copies.insert("runs", tenant, [{"RowKey": "row", "first": False}])

    assert await rows_of(copies, "runs", tenant) == [{"RowKey": "row", "first": True}]


async def test_nothing_to_insert_is_no_error(copies: ports.TableCopies, tenant: TenantId) -> None:
    await copies.insert("runs", tenant, [])

    assert await copies.is_empty(tenant)


@pytest.mark.parametrize("table", TABLE_NAMES)
async def test_a_tenant_is_empty_until_it_has_a_row_that_is_no_deletion(
    copies: ports.TableCopies, tenant: TenantId, other_tenant: TenantId, table: str
) -> None:
    await copies.insert(table, other_tenant, [{"RowKey": "row"}])
    assert await copies.is_empty(tenant)

    await copies.insert(table, tenant, [{"RowKey": "gate"}])

    assert await copies.is_empty(tenant) is (table == "deletions")


@pytest.mark.stack
async def test_what_the_stores_write_is_read_and_what_is_written_they_read(
    azure: Azure, tenant: TenantId, other_tenant: TenantId
) -> None:
    await azure.gates.open(tenant)
    await azure.gates.open_for(tenant, ALICE)
    await azure.tenants.create(tenant_row(tenant))
    await azure.users.create(user_row(tenant))
    await azure.runs.start(run_row(tenant, "1"), None)

    for table in ("tenants", "users", "runs"):
        rows = await rows_of(azure.copies, table, tenant)
        await azure.copies.insert(table, other_tenant, rows)

    assert await azure.users.load(other_tenant, ALICE) == user_row(other_tenant)
    assert await azure.tenants.load(other_tenant) == tenant_row(other_tenant)
    page = await azure.runs.page(other_tenant, ALICE, after=None, limit=10)
    assert page.runs == (run_row(other_tenant, "1"),)
