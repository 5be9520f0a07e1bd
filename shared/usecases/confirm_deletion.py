"""Confirm a deletion: with a fresh session and the code. From now on 24 hours count."""

import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.errors import (
    ConfirmationRequiredError,
    DeletionInProgressError,
    FlowRunnerError,
    NotAdminError,
    NotFoundError,
)
from shared.model import (
    CONFIRMATION_LIFETIME,
    Caller,
    Deletion,
    DeletionScope,
    DeletionState,
)
from shared.ports import Clock, DeletionStore, Standings
from shared.secret import Secret
from shared.telemetry.events import event
from shared.usecases.fence import Fence
from shared.usecases.request_deletion import digest_of

FRESH: Final = timedelta(minutes=5)
"""How long after signing in a session may confirm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDeletion:
    deletions: DeletionStore
    fence: Fence
    standings: Standings
    clock: Clock

    async def __call__(self, caller: Caller, deletion_id: str, code: Secret) -> Deletion:
        """Raises NotFoundError (none, somebody else's, or no more), NotAdminError,
        ConfirmationRequiredError (sign in again, or another code), DeletionInProgressError."""
        deletion = await self._load(caller, deletion_id)
        if caller.signed_in_at + FRESH < self.clock():
            raise ConfirmationRequiredError
        if not hmac.compare_digest(digest_of(code), deletion.code_digest):
            raise ConfirmationRequiredError
        for other in await self.deletions.of_tenant(caller.tenant):
            if other.is_under_way and other.user in (None, deletion.user):
                raise DeletionInProgressError
        confirmed = await self.deletions.replace(
            deletion.moved_to(DeletionState.CONFIRMED, self.clock())
        )
        if confirmed is None:
            raise NotFoundError  # somebody was faster; whoever holds the status token can look
        event("deletion_confirmed", tenant=caller.tenant, user=caller.user)
        with suppress(FlowRunnerError):  # the worker does it within a minute, if not now
            await self.fence(confirmed)
        self.standings.forget(caller.tenant, caller.user)
        return confirmed

    async def _load(self, caller: Caller, deletion_id: str) -> Deletion:
        deletion = await self.deletions.load(caller.tenant, deletion_id)
        if deletion is None or deletion.requested_by != caller.user:
            raise NotFoundError
        if deletion.state is not DeletionState.REQUESTED:
            raise NotFoundError
        if deletion.at(DeletionState.REQUESTED) + CONFIRMATION_LIFETIME <= self.clock():
            raise NotFoundError
        if deletion.scope is DeletionScope.TENANT and not caller.is_admin:
            raise NotAdminError
        return deletion
