"""Carry a confirmed deletion out: six steps, each idempotent, each recorded when it is done.

A worker that is killed anywhere leaves a state from which the next one goes on. Two workers on the
same deletion do the same; each move is one conditional write, so it is made once.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.errors import Json
from shared.jws import RECEIPT_TYP
from shared.model import (
    REVOCATION_LIMIT,
    SETTLING,
    Deletion,
    DeletionScope,
    DeletionState,
    TenantId,
    rfc3339,
    subject_hash,
)
from shared.model.backups import (
    BACKUP_DAYS,
    BACKUP_LEASE,
    journal_folder,
    keys_name,
    tenant_folder,
)
from shared.ports import (
    BackupStore,
    Clock,
    DeletionStore,
    Erasure,
    Leases,
    TenantKeyStore,
    Vault,
)
from shared.telemetry.events import event
from shared.usecases.change_settings import KEY_LEASE
from shared.usecases.deletion_ledger import DeletionLedger
from shared.usecases.fence import Fence
from shared.usecases.revoke_grants import Revocation, RevokeGrants
from shared.usecases.sign_document import SignDocument

_LONGEST_PAUSE: Final = timedelta(minutes=15)

type _Step = Callable[[Deletion], Awaitable[Deletion | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryOutDeletion:
    deletions: DeletionStore
    fence: Fence
    revoke: RevokeGrants
    erasure: Erasure
    tenant_keys: TenantKeyStore
    vault: Vault
    leases: Leases
    backups: BackupStore
    ledger: DeletionLedger
    sign: SignDocument
    issuer: str
    clock: Clock

    async def __call__(self, deletion: Deletion) -> Deletion:
        """Take it as far as it goes now, and answer it as it then is.

        Raises StorageFailedError, KeyVaultFailedError: what was recorded stays, and the next call
        goes on from there.
        """
        steps: Mapping[DeletionState, _Step] = {
            DeletionState.CONFIRMED: self._fence,
            DeletionState.FENCED: self._revoke,
            DeletionState.REVOKED: self._delete,
            DeletionState.DELETED: self._shred,
            DeletionState.SHREDDED: self._verify,
            DeletionState.VERIFIED: self._receipt,
        }
        while deletion.state in steps:
            further = await steps[deletion.state](deletion)
            if further is None:
                return deletion  # it has to wait
            written = await self.deletions.replace(further)
            if written is None:
                return deletion  # another worker has moved it on
            if written.state is not deletion.state:
                event("deletion_step", tenant=deletion.tenant, step=written.state.value)
            deletion = written
        if deletion.state is DeletionState.RECEIPTED:
            event("deletion_done", tenant=deletion.tenant)
        return deletion

    async def _fence(self, deletion: Deletion) -> Deletion:
        await self.fence(deletion)
        await self.ledger.write(deletion)
        return deletion.moved_to(DeletionState.FENCED, self.clock())

    async def _revoke(self, deletion: Deletion) -> Deletion | None:
        """Until every grant is revoked, or the time for it is over. Then, before anything goes,
        count what there is: nothing can be added any more."""
        outcomes = Counter(await self.revoke(deletion))
        now = self.clock()
        waited = now - deletion.at(DeletionState.CONFIRMED)
        if outcomes[Revocation.LATER] and waited < REVOCATION_LIMIT:
            pause = min(_LONGEST_PAUSE, waited / 4)
            await self.deletions.replace(replace(deletion, next_try_at=now + pause))
            return None
        revoked = outcomes.pop(Revocation.REVOKED, 0)
        counted = replace(
            deletion,
            rows=await self.erasure.count(deletion.subject),
            revocations={"revoked": revoked, "not_confirmed": outcomes.total()},
        )
        return counted.moved_to(DeletionState.REVOKED, self.clock())

    async def _delete(self, deletion: Deletion) -> Deletion | None:
        """The keys are named here, because in the next step they are gone."""
        await self._forget_requests(deletion)
        await self._empty_journal(deletion)
        if deletion.scope is DeletionScope.USER:
            await self.erasure.delete(deletion.subject)
            return deletion.moved_to(DeletionState.DELETED, self.clock())
        for lease in (BACKUP_LEASE, KEY_LEASE):
            until = await self.leases.held_until(deletion.tenant, lease)
            if until is not None and until > self.clock():
                return None  # a backup or a new key is under way: nothing behind our back
        await self.erasure.delete(deletion.subject)
        keys = await self.tenant_keys.all(deletion.tenant)
        named = tuple(f"v{key.version} (wrapped by {key.kek_id})" for key in keys)
        named_too = replace(deletion, keys_destroyed=named)
        return named_too.moved_to(DeletionState.DELETED, self.clock())

    async def _forget_requests(self, deletion: Deletion) -> None:
        """Requests of the subject that nobody has confirmed name who asked."""
        for other in await self.deletions.of_tenant(deletion.tenant):
            is_theirs = deletion.user in (None, other.requested_by)
            if is_theirs and other.state is DeletionState.REQUESTED:
                await self.deletions.delete(other)

    async def _empty_journal(self, deletion: Deletion) -> None:
        for name in await self._journalled(deletion):
            await self.backups.delete(name)

    async def _journalled(self, deletion: Deletion) -> Sequence[str]:
        return await self.backups.names(journal_folder(deletion.tenant, deletion.user))

    async def _shred(self, deletion: Deletion) -> Deletion:
        """A user's rows were sealed by the tenant's key, which the colleagues still need."""
        if deletion.scope is DeletionScope.TENANT:
            await self._destroy(deletion.tenant)
        return deletion.moved_to(DeletionState.SHREDDED, self.clock())

    async def _destroy(self, tenant: TenantId) -> None:
        """The wrapped keys in the backup first: with the live ones gone, they would be the last
        copies; then everything that they sealed there."""
        await self.backups.delete(keys_name(tenant))
        await self.vault.destroy_keys(tenant)
        for name in await self.backups.names(tenant_folder(tenant)):
            await self.backups.delete(name)

    async def _verify(self, deletion: Deletion) -> Deletion | None:
        """A full listing finds nothing. If it does, it is deleted, and looked for again."""
        now = self.clock()
        if now < deletion.at(DeletionState.SHREDDED) + SETTLING:
            return None
        left = sum((await self.erasure.count(deletion.subject)).values())
        left += await self.erasure.authored(deletion.subject)
        left += len(await self._journalled(deletion))
        if deletion.scope is DeletionScope.TENANT:
            left += len(await self.backups.names(tenant_folder(deletion.tenant)))
        if not left:
            return deletion.moved_to(DeletionState.VERIFIED, now)
        event("deletion_step", tenant=deletion.tenant, step="not_empty", count=left)
        await self.fence(deletion)
        await self.erasure.delete(deletion.subject)
        await self._empty_journal(deletion)
        if deletion.scope is DeletionScope.TENANT:
            await self._destroy(deletion.tenant)
        await self.deletions.replace(deletion.moved_to(DeletionState.SHREDDED, self.clock()))
        return None

    async def _receipt(self, deletion: Deletion) -> Deletion:
        """Signed once and kept by one conditional write; then the ledger has it, too; and only
        then it is handed out, and what it does not name is forgotten."""
        if deletion.receipt is None:
            receipt = await self.sign(RECEIPT_TYP, self._claims(deletion))
            return replace(deletion, receipt=receipt)
        nameless = replace(deletion, user=None, requested_by="", code_digest="")
        done = nameless.moved_to(DeletionState.RECEIPTED, self.clock())
        await self.ledger.write(done)
        return done

    def _claims(self, deletion: Deletion) -> Mapping[str, Json]:
        now = max(self.clock(), *deletion.times.values())
        return {
            "iss": self.issuer,
            "iat": int(now.timestamp()),
            "deletion_id": deletion.id,
            "scope": deletion.scope.value,
            "tenant_sha256": subject_hash(deletion.tenant),
            "subject_sha256": deletion.subject_sha256,
            "requested_at": rfc3339(deletion.at(DeletionState.REQUESTED)),
            "confirmed_at": rfc3339(deletion.at(DeletionState.CONFIRMED)),
            "verified_empty_at": rfc3339(deletion.at(DeletionState.VERIFIED)),
            "finished_at": rfc3339(now),
            "rows": dict(deletion.rows),
            "revocations": dict(deletion.revocations),
            "keys_destroyed": deletion.keys_destroyed,
            "backups": _statement_on_backups(deletion),
        }


def _statement_on_backups(deletion: Deletion) -> str:
    if deletion.scope is DeletionScope.TENANT:
        return (
            "The wrapped data keys and all backups of this tenant were deleted, live and in the "
            "backup account. What the keys had sealed cannot be opened without them."
        )
    gone_by = deletion.at(DeletionState.VERIFIED) + timedelta(days=BACKUP_DAYS + 1)
    return (
        "Sealed backups made before the rows were deleted may hold this user's sealed identity and "
        f"run metadata until {gone_by.date().isoformat()}; Salesforce grants are never backed up. "
        "A restore from them applies this deletion again before anybody is let in."
    )
