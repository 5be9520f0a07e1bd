"""The table `tenantkeys`: each tenant's data keys, wrapped."""

from collections.abc import Sequence

from shared.model import TenantId, WrappedKey
from shared.storage.batches import delete_rows
from shared.storage.tables import (
    Entity,
    Tables,
    insert,
    keys_between,
    merge,
    row_is_readable,
    rows_between,
    utc,
)


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

    async def destroy(self, tenant: TenantId) -> None:
        table = self._tables["tenantkeys"]
        async for page in keys_between(table, tenant, "v", "w"):
            await delete_rows(table, tenant, page)


def _wrapped_key(tenant: TenantId, entity: Entity) -> WrappedKey:
    with row_is_readable():
        return WrappedKey(
            tenant=tenant,
            version=int(entity["RowKey"].removeprefix("v")),
            wrapped=bytes(entity["wrapped"]),
            kek_id=entity["kek_id"],
            created_at=utc(entity["created_at"]),
        )
