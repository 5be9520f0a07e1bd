"""The ledger of deletions: what a restore must know after a total loss.

Kept beside the backups and not among them. A finished deletion's entry names its user by a hash
alone; one that is under way has the pseudonym, too, so that it can be finished after a restore.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.errors import StorageFailedError
from shared.model import Deletion, DeletionScope, DeletionState, TenantId, UserId
from shared.model.backups import ledger_name
from shared.ports import BackupStore, DeletionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionLedger:
    store: BackupStore

    async def write(self, deletion: Deletion) -> None:
        """The entry of a confirmed deletion, as it now is."""
        entry = {
            "deletion_id": deletion.id,
            "tenant": deletion.tenant,
            "scope": deletion.scope.value,
            "user_id": deletion.user,
            "subject_sha256": deletion.subject_sha256,
            "status_digest": deletion.status_digest,
            "requested_at": deletion.at(DeletionState.REQUESTED).isoformat(),
            "confirmed_at": deletion.at(DeletionState.CONFIRMED).isoformat(),
            "receipted_at": _time_of(deletion, DeletionState.RECEIPTED),
            "receipt": deletion.receipt,
        }
        name = ledger_name(deletion.tenant, deletion.id)
        await self.store.put(name, json.dumps(entry, sort_keys=True).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBackDeletions:
    """Satisfies `ports.RecordedDeletions`: receipts are there again for those who hold a status
    token, and what was not finished is gone through once more."""

    deletions: DeletionStore

    async def put_back(self, tenant: TenantId, entries: Sequence[bytes]) -> None:
        """Raises StorageFailedError for an entry that cannot be read."""
        for entry in entries:
            await self.deletions.create(_deletion_in(tenant, entry))


def _time_of(deletion: Deletion, state: DeletionState) -> str | None:
    at = deletion.times.get(state)
    return None if at is None else at.isoformat()


def _deletion_in(tenant: TenantId, entry: bytes) -> Deletion:
    """Finished, it is as it was, but for its counts, which its receipt has; if not, confirmed."""
    try:
        told: dict[str, Any] = json.loads(entry)
        times = {
            DeletionState.REQUESTED: datetime.fromisoformat(told["requested_at"]),
            DeletionState.CONFIRMED: datetime.fromisoformat(told["confirmed_at"]),
        }
        is_done = told["receipted_at"] is not None
        if is_done:
            times[DeletionState.RECEIPTED] = datetime.fromisoformat(told["receipted_at"])
        scope = DeletionScope(told["scope"])
        return Deletion(
            id=told["deletion_id"],
            tenant=tenant,
            scope=scope,
            state=DeletionState.RECEIPTED if is_done else DeletionState.CONFIRMED,
            times=times,
            requested_by="",
            user=_user_in(told, scope, is_done=is_done),
            subject_sha256=told["subject_sha256"],
            code_digest="",
            status_digest=told["status_digest"],
            receipt=told["receipt"] if is_done else None,
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StorageFailedError from exc


def _user_in(told: dict[str, Any], scope: DeletionScope, *, is_done: bool) -> UserId | None:
    """Raises ValueError for one under way that lost its user: it would pass for the tenant's."""
    user = told["user_id"]
    if scope is DeletionScope.USER and not is_done and not user:
        raise ValueError
    return UserId(user) if user else None
