"""Rows as they are, of any table, for backups and their restoration."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from itertools import batched
from typing import Any, Final

from azure.data.tables import EdmType, EntityProperty

from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.model.backups import Cell, Row
from shared.storage import TABLE_NAMES
from shared.storage.batches import MOST_OPERATIONS
from shared.storage.tables import (
    EVERY_KEY,
    Tables,
    pages_between,
    plain,
    rows_between,
    store_call,
    utc,
)

_AT_A_TIME: Final = 4
_INT32: Final = range(-(2**31), 2**31)


class TableCopies:
    """Satisfies `ports.TableCopies`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def rows(self, table: str, tenant: TenantId) -> AsyncIterator[Row]:
        async for entity in rows_between(self._tables[table], tenant, *EVERY_KEY):
            yield {name: _cell(value) for name, value in entity.items() if name != "PartitionKey"}

    async def insert(self, table: str, tenant: TenantId, rows: Iterable[Row]) -> None:
        """A few transactions at a time; all are waited for, whichever fails."""
        client = self._tables.for_restoring(table)
        running = asyncio.Semaphore(_AT_A_TIME)

        async def write(batch: Sequence[Row]) -> None:
            operations = [("create", _entity(tenant, row)) for row in batch]
            async with running, store_call():
                await client.submit_transaction(operations)

        writing = (write(batch) for batch in batched(rows, MOST_OPERATIONS, strict=False))
        for failure in await asyncio.gather(*writing, return_exceptions=True):
            if failure is not None:
                raise failure

    async def is_empty(self, tenant: TenantId) -> bool:
        for name in TABLE_NAMES:
            if name != "deletions":
                pages = pages_between(self._tables[name], tenant, *EVERY_KEY, select=("RowKey",))
                async for page in pages:
                    if page:
                        return False
        return True


def _cell(value: Any) -> Cell:  # noqa: ANN401 - what the SDK makes of a column
    """Raises StorageFailedError for a type that no column of ours has."""
    match value:
        case EntityProperty(value=int(number), edm_type=EdmType.INT64):
            return number
        case datetime():
            return utc(value)
        case str() | bool() | int() | float() | bytes():
            return value
    raise StorageFailedError


def _entity(tenant: TenantId, row: Row) -> dict[str, Any]:
    """The partition is the tenant's, whatever the row says."""
    cells = {name: _property(value) for name, value in row.items()}
    return plain({**cells, "PartitionKey": tenant})


def _property(value: Cell) -> Any:  # noqa: ANN401 - what the SDK takes for a column
    """The SDK writes an `int` as 32 bits, and refuses a larger one."""
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT32:
        return EntityProperty(value, EdmType.INT64)
    return value
