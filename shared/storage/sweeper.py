"""Deletes what has outlived its time.

Rows named by their time are found by a range of keys, so the cost grows with what has expired and
not with what is kept; the others are found by the store, which sends nothing else.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.errors import StorageFailedError
from shared.model import Swept, TenantId
from shared.storage.batches import delete_rows
from shared.storage.run_keys import descending_time, milliseconds, time_in
from shared.storage.tables import Entity, Tables, pages_between, row_is_readable, utc


class TableSweeper:
    """Satisfies `ports.Sweeper`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def runs(self, tenant: TenantId, *, before: datetime) -> Swept:
        return await self._by_key(tenant, "runs", "run", "started_at", before)

    async def settings_changes(self, tenant: TenantId, *, before: datetime) -> Swept:
        return await self._by_key(tenant, "tenants", "audit", "changed_at", before)

    async def idempotency(self, tenant: TenantId, *, before: datetime) -> Swept:
        table, swept = self._tables["runs"], Swept()
        pages = pages_between(
            table,
            tenant,
            "idem|",
            "idem}",
            select=("RowKey", "created_at"),
            no_later_than=("created_at", before),
        )
        async for page in pages:
            expired, unreadable = _sorted_out(page, _time_in_column("created_at"), before)
            deleted = await delete_rows(table, tenant, expired)
            swept += Swept(deleted=deleted, unreadable=unreadable)
        return swept

    async def _by_key(
        self, tenant: TenantId, table_name: str, kind: str, column: str, before: datetime
    ) -> Swept:
        table, swept = self._tables[table_name], Swept()
        low = f"{kind}|{descending_time(before)}"
        pages = pages_between(
            table, tenant, low, f"{kind}}}", select=("PartitionKey", "RowKey", column)
        )
        async for page in pages:
            expired, unreadable = _sorted_out(page, _time_agreed(column), before)
            deleted = await delete_rows(table, tenant, expired)
            swept += Swept(deleted=deleted, unreadable=unreadable)
        return swept


def _sorted_out(
    page: Sequence[Entity], time_of: Callable[[Entity], datetime | None], before: datetime
) -> tuple[list[str], int]:
    """The keys of the rows that have expired, and how many tell no time, or two."""
    expired: list[str] = []
    unreadable = 0
    for entity in page:
        at = time_of(entity)
        if at is None:
            unreadable += 1
        elif at <= before:
            expired.append(str(entity["RowKey"]))
    return expired, unreadable


def _time_in_column(column: str) -> Callable[[Entity], datetime | None]:
    """When it was, as the column says; None if that is no time. The store's own filter is no proof
    of that: Azurite finds a text to be earlier than any time."""

    def told(entity: Entity) -> datetime | None:
        try:
            with row_is_readable():
                return utc(entity[column])
        except StorageFailedError:
            return None

    return told


def _time_agreed(column: str) -> Callable[[Entity], datetime | None]:
    """When it was, if the row's key and its column agree about that."""
    in_column = _time_in_column(column)

    def agreed(entity: Entity) -> datetime | None:
        at = in_column(entity)
        in_key = time_in(str(entity["RowKey"]))
        return at if at is not None and in_key == milliseconds(at) else None

    return agreed
