"""The table `pending`: one-time codes by their hash, each with what is sealed for its bearer."""

from collections.abc import Sequence

from shared.errors import StorageFailedError
from shared.model import DataSubject, Pending, PendingKind, TenantId, UserId, pending_place
from shared.storage.batches import delete_rows
from shared.storage.gates import insert_through, is_gate, user_gate
from shared.storage.tables import (
    EVERY_KEY,
    Entity,
    Tables,
    delete_as_read,
    etag_of,
    get,
    row_is_readable,
    rows_between,
    utc,
)


class TablePendingStore:
    """Satisfies `ports.PendingStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def put(self, pending: Pending) -> None:
        await insert_through(
            self._tables["pending"],
            user_gate(pending.user),
            {
                "PartitionKey": pending.tenant,
                "RowKey": pending.place.row_key,
                "user_id": pending.user,
                "sealed": pending.sealed,
                "expires_at": pending.expires_at,
            },
        )

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Pending], int]:
        where = {} if subject.user is None else {"user_id": subject.user}
        found: list[Pending] = []
        unreadable = 0
        rows = rows_between(self._tables["pending"], subject.tenant, *EVERY_KEY, where=where)
        async for row in rows:
            if is_gate(row["RowKey"]):
                continue
            try:
                found.append(_pending(subject.tenant, row))
            except StorageFailedError:
                unreadable += 1
        return found, unreadable

    async def delete(self, pending: Pending) -> None:
        await delete_rows(self._tables["pending"], pending.tenant, [pending.place.row_key])

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        table = self._tables["pending"]
        entity = await get(table, tenant, pending_place(tenant, kind, digest).row_key)
        if entity is None or not await delete_as_read(table, entity, etag_of(entity)):
            return None
        return _pending(tenant, entity)


def _pending(tenant: TenantId, entity: Entity) -> Pending:
    with row_is_readable():
        kind, _, digest = entity["RowKey"].partition("|")
        return Pending(
            kind=PendingKind(kind),
            tenant=tenant,
            digest=digest,
            user=UserId(entity["user_id"]),
            sealed=bytes(entity["sealed"]),
            expires_at=utc(entity["expires_at"]),
        )
