"""The table `pending`: one-time codes by their hash, each with what is sealed for its bearer."""

from shared.model import Pending, PendingKind, TenantId, UserId, pending_place
from shared.storage.tables import (
    Tables,
    delete_as_read,
    etag_of,
    get,
    insert,
    row_is_readable,
    utc,
)


class TablePendingStore:
    """Satisfies `ports.PendingStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def put(self, pending: Pending) -> None:
        await insert(
            self._tables["pending"],
            {
                "PartitionKey": pending.tenant,
                "RowKey": pending.place.row_key,
                "user_id": pending.user,
                "sealed": pending.sealed,
                "expires_at": pending.expires_at,
            },
        )

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        table = self._tables["pending"]
        entity = await get(table, tenant, pending_place(tenant, kind, digest).row_key)
        if entity is None or not await delete_as_read(table, entity, etag_of(entity)):
            return None
        with row_is_readable():
            return Pending(
                kind=kind,
                tenant=tenant,
                digest=digest,
                user=UserId(entity["user_id"]),
                sealed=bytes(entity["sealed"]),
                expires_at=utc(entity["expires_at"]),
            )
