"""The ledger of deletions: what a restore must know after a total loss."""

import json
from dataclasses import dataclass

from shared.model import Deletion, DeletionState, TenantId
from shared.ports import BackupStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionLedger:
    """Who must not come back, and the receipts: kept beside the backups and not among them. It
    names a user by a hash alone."""

    store: BackupStore

    async def write(self, deletion: Deletion) -> None:
        """The entry of a confirmed deletion, as it now is."""
        entry = {
            "deletion_id": deletion.id,
            "tenant": deletion.tenant,
            "scope": deletion.scope.value,
            "subject_sha256": deletion.subject_sha256,
            "requested_at": deletion.at(DeletionState.REQUESTED).isoformat(),
            "confirmed_at": deletion.at(DeletionState.CONFIRMED).isoformat(),
            "receipt": deletion.receipt,
        }
        name = ledger_entry(deletion.tenant, deletion.id)
        await self.store.put(name, json.dumps(entry, sort_keys=True).encode())


def ledger_entry(tenant: TenantId, deletion_id: str) -> str:
    """The name of an entry."""
    return f"deletions/{tenant}/{deletion_id}.json"
