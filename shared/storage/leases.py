"""Leases: rows `lease|<name>` in the table `tenants`, taken by one conditional write."""

from datetime import datetime
from typing import Final

from shared.errors import DeletionInProgressError, StorageFailedError
from shared.model import Lease, TenantId
from shared.ports import Clock
from shared.storage.gates import TENANT_GATE, insert_through, renew_through
from shared.storage.tables import (
    Entity,
    Tables,
    delete_as_read,
    etag_of,
    get,
    row_is_readable,
    utc,
)

_ATTEMPTS: Final = 3


class TableLeases:
    """Satisfies `ports.Leases`."""

    def __init__(self, tables: Tables, *, clock: Clock) -> None:
        self._tables, self._clock = tables, clock

    async def take(
        self, tenant: TenantId, name: str, *, holder: str, until: datetime
    ) -> Lease | None:
        table = self._tables["tenants"]
        row_key = f"lease|{name}"
        wanted = {"PartitionKey": tenant, "RowKey": row_key, "holder": holder, "until": until}
        for _ in range(_ATTEMPTS):
            found = await get(table, tenant, row_key)
            try:
                if found is None:
                    await insert_through(table, TENANT_GATE, wanted)
                elif _until(found) <= self._clock():
                    await renew_through(table, TENANT_GATE, wanted, etag_of(found))
                elif found.get("holder") != holder:
                    return None
            except DeletionInProgressError:
                return None
            written = await get(table, tenant, row_key)
            if written is not None and written.get("holder") == holder:
                return _lease(tenant, name, written)
        return None

    async def release(self, lease: Lease) -> None:
        row = {"PartitionKey": lease.tenant, "RowKey": f"lease|{lease.name}"}
        await delete_as_read(self._tables["tenants"], row, lease.etag)

    async def held_until(self, tenant: TenantId, name: str) -> datetime | None:
        found = await get(self._tables["tenants"], tenant, f"lease|{name}")
        return None if found is None else _until(found)


def _until(entity: Entity) -> datetime:
    with row_is_readable():
        return utc(entity["until"])


def _lease(tenant: TenantId, name: str, entity: Entity) -> Lease:
    """`Timestamp` is set by the store itself at each write."""
    written = entity.metadata["timestamp"]  # type: ignore[attr-defined]
    if written is None:
        raise StorageFailedError
    with row_is_readable():
        return Lease(
            tenant=tenant,
            name=name,
            holder=str(entity["holder"]),
            until=utc(entity["until"]),
            store_time=utc(written),
            etag=etag_of(entity),
        )
