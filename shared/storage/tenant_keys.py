"""The table `tenantkeys`: each tenant's data keys, wrapped. The floor is in the tenant's row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.errors import StorageFailedError
from shared.model import TenantId, WrappedKey
from shared.storage.batches import delete_rows
from shared.storage.tables import (
    Entity,
    Tables,
    etag_of,
    get,
    insert,
    keys_between,
    merge,
    row_is_readable,
    rows_between,
    utc,
)
from shared.storage.tenants import TENANT_ROW

_ATTEMPTS: Final = 5


class TableTenantKeyStore:
    """Satisfies `ports.TenantKeyStore`. Row keys are `v<version>`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def all(self, tenant: TenantId) -> Sequence[WrappedKey]:
        rows = rows_between(self._tables["tenantkeys"], tenant, "v", "w")
        keys = [_wrapped_key(tenant, row) async for row in rows]
        return sorted(keys, key=lambda key: key.version)

    async def create(self, key: WrappedKey) -> bool:
        return await insert(
            self._tables["tenantkeys"],
            {
                "PartitionKey": key.tenant,
                "RowKey": f"v{key.version}",
                "wrapped": key.wrapped,
                "kek_id": key.kek_id,
                "created_at": key.created_at,
            },
        )

    async def rewrap(self, key: WrappedKey) -> bool:
        row = {
            "PartitionKey": key.tenant,
            "RowKey": f"v{key.version}",
            "wrapped": key.wrapped,
            "kek_id": key.kek_id,
        }
        return await merge(self._tables["tenantkeys"], row)

    async def retire(self, tenant: TenantId, version: int, *, at: datetime) -> None:
        row = {"PartitionKey": tenant, "RowKey": f"v{version}", "retired_at": at}
        await merge(self._tables["tenantkeys"], row)

    async def destroy_version(self, tenant: TenantId, version: int) -> None:
        await delete_rows(self._tables["tenantkeys"], tenant, [f"v{version}"])

    async def floor(self, tenant: TenantId) -> int:
        found = await get(self._tables["tenants"], tenant, TENANT_ROW)
        return 0 if found is None else _floor(found)

    async def raise_floor(self, tenant: TenantId, version: int) -> None:
        table = self._tables["tenants"]
        row = {"PartitionKey": tenant, "RowKey": TENANT_ROW, "floor_key_version": version}
        for _ in range(_ATTEMPTS):
            found = await get(table, tenant, TENANT_ROW)
            if found is None or _floor(found) >= version:
                return
            if await merge(table, row, etag=etag_of(found)):
                return
        raise StorageFailedError

    async def destroy(self, tenant: TenantId) -> None:
        table = self._tables["tenantkeys"]
        async for page in keys_between(table, tenant, "v", "w"):
            await delete_rows(table, tenant, page)


def _floor(entity: Entity) -> int:
    with row_is_readable():
        return int(entity["floor_key_version"])


def _wrapped_key(tenant: TenantId, entity: Entity) -> WrappedKey:
    with row_is_readable():
        retired = entity.get("retired_at")
        return WrappedKey(
            tenant=tenant,
            version=int(entity["RowKey"].removeprefix("v")),
            wrapped=bytes(entity["wrapped"]),
            kek_id=entity["kek_id"],
            created_at=utc(entity["created_at"]),
            retired_at=None if retired is None else utc(retired),
        )
