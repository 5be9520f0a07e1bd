"""Ask to be forgotten: nothing happens yet, until it is confirmed."""

import hashlib
import os
from dataclasses import dataclass

from shared.errors import DeletionInProgressError, NotAdminError
from shared.model import (
    Caller,
    Deletion,
    DeletionScope,
    DeletionState,
    OneTimeCode,
    base32,
    subject_hash,
)
from shared.ports import Clock, DeletionStore
from shared.secret import Secret
from shared.telemetry.events import event

_ID_BYTES = 16
_CODE_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionAsked:
    """A request, with what its owner needs further on: the code that confirms it, and the token
    that shows its state even when the account is gone. Both are told here and never again."""

    deletion: Deletion
    confirmation_code: Secret
    status_token: OneTimeCode


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDeletion:
    deletions: DeletionStore
    clock: Clock

    async def __call__(self, caller: Caller, scope: DeletionScope) -> DeletionAsked:
        """Raises NotAdminError, DeletionInProgressError (a confirmed one is under way). An earlier
        request of the same caller that was not confirmed is forgotten: the newest counts."""
        if scope is DeletionScope.TENANT and not caller.is_admin:
            raise NotAdminError
        user = caller.user if scope is DeletionScope.USER else None
        for other in await self.deletions.of_tenant(caller.tenant):
            if other.is_under_way and other.user in (None, user):
                raise DeletionInProgressError
            if _is_asked_anew(other, caller, scope):
                await self.deletions.delete(other)
        code, token = Secret(base32(os.urandom(_CODE_BYTES))), OneTimeCode.new(caller.tenant)
        deletion = Deletion(
            id=f"d-{base32(os.urandom(_ID_BYTES))}",
            tenant=caller.tenant,
            scope=scope,
            state=DeletionState.REQUESTED,
            times={DeletionState.REQUESTED: self.clock()},
            requested_by=caller.user,
            user=user,
            subject_sha256=None if user is None else subject_hash(user),
            code_digest=digest_of(code),
            status_digest=token.digest,
        )
        await self.deletions.create(deletion)
        event("deletion_requested", tenant=caller.tenant, user=caller.user)
        return DeletionAsked(deletion=deletion, confirmation_code=code, status_token=token)


def _is_asked_anew(other: Deletion, caller: Caller, scope: DeletionScope) -> bool:
    is_open = other.state is DeletionState.REQUESTED
    return is_open and other.requested_by == caller.user and other.scope is scope


def digest_of(code: Secret) -> str:
    """What is kept of a confirmation code: 80 random bits are not found by trying hashes."""
    return hashlib.sha256(code.reveal().encode()).hexdigest()
