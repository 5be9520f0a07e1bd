"""The ledger of deletions: what a restore must know after a total loss.

Kept beside the backups and not among them. A finished deletion's entry names its user by a hash
alone; one that is under way has the pseudonym, too, so that it can be finished after a restore.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.errors import StorageFailedError
from shared.model import (
    Deletion,
    DeletionScope,
    DeletionState,
    TenantId,
    UserId,
    subject_hash,
)
from shared.model.backups import ledger_name
from shared.ports import BackupStore, DeletionStore

_ID: Final = re.compile(r"d-[a-z0-9]+", re.ASCII)


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
        data = json.dumps(entry, sort_keys=True).encode()
        # Only the end may overwrite: a worker that stalled must not make it unfinished again.
        if deletion.state is DeletionState.RECEIPTED:
            await self.store.put(name, data)
        else:
            await self.store.put_new(name, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBackDeletions:
    """Satisfies `ports.RecordedDeletions`: receipts are there again for those who hold a status
    token, and what was not finished is gone through once more."""

    deletions: DeletionStore

    def check(self, tenant: TenantId, entries: Sequence[bytes]) -> None:
        """Raises StorageFailedError for an entry that cannot be read."""
        for entry in entries:
            _deletion_in(tenant, entry)

    async def put_back(self, tenant: TenantId, entries: Sequence[bytes]) -> None:
        """Raises StorageFailedError for an entry that cannot be read."""
        for entry in entries:
            await self.deletions.create(_deletion_in(tenant, entry))


def _time_of(deletion: Deletion, state: DeletionState) -> str | None:
    at = deletion.times.get(state)
    return None if at is None else at.isoformat()


def _deletion_in(tenant: TenantId, entry: bytes) -> Deletion:
    """Finished, it is as it was, but for its counts, which its receipt has; if not, confirmed.

    Raises StorageFailedError for what the service did not write: whoever can write into the
    container must not be able to name somebody else as the one to be deleted.
    """
    try:
        told: dict[str, Any] = json.loads(entry)
        times = {
            DeletionState.REQUESTED: _time(told["requested_at"]),
            DeletionState.CONFIRMED: _time(told["confirmed_at"]),
        }
        is_done = told["receipted_at"] is not None
        if is_done:
            times[DeletionState.RECEIPTED] = _time(told["receipted_at"])
        deletion = Deletion(
            id=told["deletion_id"],
            tenant=tenant,
            scope=DeletionScope(told["scope"]),
            state=DeletionState.RECEIPTED if is_done else DeletionState.CONFIRMED,
            times=times,
            requested_by="",
            user=UserId(told["user_id"]) if told["user_id"] else None,
            subject_sha256=told["subject_sha256"],
            code_digest="",
            status_digest=told["status_digest"],
            receipt=told["receipt"],
        )
        _require_sense(deletion, told["tenant"])
    except (KeyError, TypeError, ValueError) as exc:
        raise StorageFailedError from exc
    return deletion


def _require_sense(deletion: Deletion, tenant: object) -> None:
    """Raises ValueError. A user's deletion without its user would be the whole tenant's."""
    is_of_user = deletion.scope is DeletionScope.USER
    is_done = deletion.state is DeletionState.RECEIPTED
    has_user = deletion.user is not None
    is_sound = (
        tenant == deletion.tenant
        and _ID.fullmatch(deletion.id) is not None
        and has_user == (is_of_user and not is_done)
        and (deletion.subject_sha256 is not None) == is_of_user
        and (deletion.user is None or subject_hash(deletion.user) == deletion.subject_sha256)
        and isinstance(deletion.receipt, str) == is_done
        and isinstance(deletion.status_digest, str)
    )
    if not is_sound:
        raise ValueError


def _time(text: str) -> datetime:
    """Raises ValueError for a time without its offset."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time
