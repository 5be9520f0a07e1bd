"""The table `pending`: one-time codes by their hash, each with what is sealed for its bearer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

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
    merge,
    row_is_readable,
    rows_between,
    utc,
)

_ATTEMPTS: Final = 5


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
        """A row that was written meanwhile, and not taken, is looked at again: its seal may have
        been renewed under a new key."""
        table = self._tables["pending"]
        for _ in range(_ATTEMPTS):
            entity = await get(table, tenant, pending_place(tenant, kind, digest).row_key)
            if entity is None:
                return None
            if await delete_as_read(table, entity, etag_of(entity)):
                return _pending(tenant, entity)
        raise StorageFailedError

    async def claim(self, tenant: TenantId, digest: str, *, at: datetime) -> Pending | None:
        table = self._tables["pending"]
        row_key = pending_place(tenant, PendingKind.PARKED, digest).row_key
        for _ in range(_ATTEMPTS):
            entity = await get(table, tenant, row_key)
            if entity is None or entity.get("claimed_at") is not None:
                return None
            found = _pending(tenant, entity)
            mark = {"PartitionKey": tenant, "RowKey": row_key, "claimed_at": at}
            if await merge(table, mark, etag=etag_of(entity)):
                return replace(found, claimed_at=at)
        raise StorageFailedError


def _pending(tenant: TenantId, entity: Entity) -> Pending:
    with row_is_readable():
        kind, _, digest = entity["RowKey"].partition("|")
        claimed = entity.get("claimed_at")
        return Pending(
            kind=PendingKind(kind),
            tenant=tenant,
            digest=digest,
            user=UserId(entity["user_id"]),
            sealed=bytes(entity["sealed"]),
            expires_at=utc(entity["expires_at"]),
            claimed_at=None if claimed is None else utc(claimed),
        )
