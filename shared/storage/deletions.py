"""The table `deletions`: requests to be forgotten, how far each has come, and the receipts."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from shared.errors import StorageFailedError
from shared.model import Deletion, DeletionScope, DeletionState, TenantId, UserId
from shared.storage.tables import (
    Entity,
    Tables,
    delete_as_read,
    etag_of,
    get,
    insert,
    pages_anywhere,
    replace_as_read,
    row_is_readable,
    rows_between,
    utc,
)
from shared.telemetry.events import alarm

_DONE: Final = DeletionState.RECEIPTED.value


class TableDeletionStore:
    """Satisfies `ports.DeletionStore`. Row keys are the deletions' ids."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def create(self, deletion: Deletion) -> bool:
        return await insert(self._tables["deletions"], _entity(deletion))

    async def load(self, tenant: TenantId, deletion_id: str) -> Deletion | None:
        entity = await get(self._tables["deletions"], tenant, deletion_id)
        return None if entity is None else _deletion(entity)

    async def of_tenant(self, tenant: TenantId) -> Sequence[Deletion]:
        rows = rows_between(self._tables["deletions"], tenant, "d-", "d.")
        return [_deletion(row) async for row in rows]

    async def open_ones(self) -> Sequence[Deletion]:
        return await self._where("state ne @done", {"done": _DONE})

    async def receipted(self, *, before: datetime) -> Sequence[Deletion]:
        """By what the row says of itself, too: Azurite finds a text to be earlier than any time."""
        found = await self._where("receipted_at le @before", {"before": before})
        return [deletion for deletion in found if _was_receipted_by(deletion, before)]

    async def _where(self, text: str, parameters: Mapping[str, object]) -> Sequence[Deletion]:
        """Of all tenants. A row that cannot be read is left out and an alarm, because it must not
        hold up the others."""
        found: list[Deletion] = []
        async for page in pages_anywhere(self._tables["deletions"], text, parameters):
            for entity in page:
                try:
                    found.append(_deletion(entity))
                except StorageFailedError:
                    alarm("row_unreadable", count=1, step="deletions")
        return found

    async def replace(self, deletion: Deletion) -> Deletion | None:
        table = self._tables["deletions"]
        etag = await replace_as_read(table, _entity(deletion), deletion.etag)
        return None if etag is None else dataclasses.replace(deletion, etag=etag)

    async def delete(self, deletion: Deletion) -> bool:
        row = {"PartitionKey": deletion.tenant, "RowKey": deletion.id}
        return await delete_as_read(self._tables["deletions"], row, deletion.etag or "")


def _was_receipted_by(deletion: Deletion, time: datetime) -> bool:
    done_at = deletion.times.get(DeletionState.RECEIPTED)
    return done_at is not None and done_at <= time


def _entity(deletion: Deletion) -> Entity:
    entity: dict[str, object] = {
        "PartitionKey": deletion.tenant,
        "RowKey": deletion.id,
        "scope": deletion.scope.value,
        "state": deletion.state.value,
        "times": json.dumps({state.value: at.isoformat() for state, at in deletion.times.items()}),
        "requested_by": deletion.requested_by,
        "code_digest": deletion.code_digest,
        "status_digest": deletion.status_digest,
        "row_counts": json.dumps(dict(deletion.rows)),
        "revocations": json.dumps(dict(deletion.revocations)),
        "keys_destroyed": json.dumps(deletion.keys_destroyed),
        "is_overdue": deletion.is_overdue,
    }
    if deletion.state is DeletionState.RECEIPTED:
        entity["receipted_at"] = deletion.at(DeletionState.RECEIPTED)
    optional = {
        "user_id": deletion.user,
        "subject_sha256": deletion.subject_sha256,
        "next_try_at": deletion.next_try_at,
        "receipt": deletion.receipt,
    }
    return entity | {name: value for name, value in optional.items() if value is not None}


def _deletion(entity: Entity) -> Deletion:
    with row_is_readable():
        user, next_try = entity.get("user_id"), entity.get("next_try_at")
        times = _object(entity["times"]).items()
        deletion = Deletion(
            id=str(entity["RowKey"]),
            tenant=TenantId.parse(entity["PartitionKey"]),
            scope=DeletionScope(entity["scope"]),
            state=DeletionState(entity["state"]),
            times={DeletionState(state): datetime.fromisoformat(at) for state, at in times},
            requested_by=str(entity["requested_by"]),
            user=None if user is None else UserId(user),
            subject_sha256=entity.get("subject_sha256"),
            code_digest=str(entity["code_digest"]),
            status_digest=str(entity["status_digest"]),
            rows=_object(entity["row_counts"]),
            revocations=_object(entity["revocations"]),
            keys_destroyed=tuple(json.loads(entity["keys_destroyed"])),
            next_try_at=None if next_try is None else utc(next_try),
            is_overdue=bool(entity["is_overdue"]),
            receipt=entity.get("receipt"),
            etag=etag_of(entity),
        )
        _require_sense(deletion)
    return deletion


def _require_sense(deletion: Deletion) -> None:
    """Raises ValueError for what could be mistaken for another's data, or breaks whoever reads the
    times. A user's deletion without the user would be that of the tenant."""
    is_of_user = deletion.scope is DeletionScope.USER
    has_user = deletion.user is not None
    if has_user != is_of_user and not (is_of_user and deletion.state is DeletionState.RECEIPTED):
        raise ValueError("user_id")
    needed = {DeletionState.REQUESTED, deletion.state}
    if deletion.state is not DeletionState.REQUESTED:
        needed.add(DeletionState.CONFIRMED)
    if not needed <= deletion.times.keys():
        raise ValueError("times")
    if any(at.tzinfo is None for at in deletion.times.values()):
        raise ValueError("a time without its offset")


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError
    return found
