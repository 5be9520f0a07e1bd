"""The table `connections`: one sealed Salesforce grant for each user and org."""

import dataclasses
from collections.abc import Sequence

from shared.model import Connection, Health, OrgId, TenantId, UserId
from shared.storage.tables import (
    Entity,
    Tables,
    delete_as_read,
    etag_of,
    get,
    insert,
    replace_as_read,
    row_is_readable,
    rows_between,
    utc,
)


class TableConnectionStore:
    """Satisfies `ports.ConnectionStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None:
        entity = await get(self._tables["connections"], tenant, f"{user}|{org.lower()}")
        return None if entity is None else _connection(tenant, entity)

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]:
        rows = rows_between(self._tables["connections"], tenant, f"{user}|", f"{user}}}")
        return [_connection(tenant, row) async for row in rows]

    async def create(self, connection: Connection) -> bool:
        return await insert(self._tables["connections"], _entity(connection))

    async def replace(self, connection: Connection) -> Connection | None:
        table = self._tables["connections"]
        etag = await replace_as_read(table, _entity(connection), connection.etag)
        return None if etag is None else dataclasses.replace(connection, etag=etag)

    async def delete(self, connection: Connection) -> bool:
        return await delete_as_read(
            self._tables["connections"], _entity(connection), connection.etag or ""
        )


def _entity(connection: Connection) -> Entity:
    entity: dict[str, object] = {
        "PartitionKey": connection.tenant,
        "RowKey": connection.row_key,
        "org_id": connection.org,
        "health": connection.health.value,
        "generation": connection.generation,
        "sealed_grant": connection.sealed_grant,
        "connected_at": connection.connected_at,
        "last_used_day": connection.last_used_day,
    }
    if connection.lease_holder is not None:
        entity |= {"lease_holder": connection.lease_holder, "lease_until": connection.lease_until}
    return entity


def _connection(tenant: TenantId, entity: Entity) -> Connection:
    with row_is_readable():
        holder = entity.get("lease_holder")
        return Connection(
            tenant=tenant,
            user=UserId(entity["RowKey"].partition("|")[0]),
            org=OrgId.parse(entity["org_id"]),
            health=Health(entity["health"]),
            generation=int(entity["generation"]),
            sealed_grant=bytes(entity["sealed_grant"]),
            connected_at=utc(entity["connected_at"]),
            last_used_day=str(entity["last_used_day"]),
            lease_holder=holder,
            lease_until=utc(entity["lease_until"]) if holder else None,
            etag=etag_of(entity),
        )
