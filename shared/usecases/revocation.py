"""Revoking a grant that nobody is to use any more: now if that works, and else from the outbox."""

import asyncio
from dataclasses import dataclass
from typing import Final

from shared.errors import FlowRunnerError, NotConnectedError
from shared.model import DiscardedGrant, Grant, TenantId, UserId, grant_place
from shared.ports import Clock, RevocationOutbox, SalesforceLogin
from shared.telemetry.events import event
from shared.usecases.sealed_grants import SealedGrants

_PATIENCE: Final = 5.0
"""Seconds that somebody who has disconnected waits for all of it: the outbox has more time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    outbox: RevocationOutbox
    grants: SealedGrants
    login: SalesforceLogin
    clock: Clock
    seconds: float = _PATIENCE

    async def try_now(self, grant: Grant, tenant: TenantId, user: UserId) -> bool:
        """Whether Salesforce says that it is revoked, or was over. Raises nothing expected."""
        try:
            async with asyncio.timeout(self.seconds):
                await self.login.revoke(grant)
        except (FlowRunnerError, TimeoutError):
            event("revocation_failed", tenant=tenant, user=user)
            return False
        return True

    async def discard(self, grant: Grant, tenant: TenantId, user: UserId) -> bool:
        """End a grant that is in nobody's hands but ours, or see to it that the timer does.

        False where neither can be done: the user is being deleted, or nothing works at all. Raises
        nothing expected.
        """
        if await self.try_now(grant, tenant, user):
            return True
        try:
            sealed = await self.grants.seal(grant_place(tenant, user, grant.org), grant)
            entry = DiscardedGrant.new(tenant, user, grant.org, sealed=sealed, now=self.clock())
            await self.outbox.put(entry)
        except FlowRunnerError as exc:
            event("revocation_failed", tenant=tenant, user=user, code=exc.code)
            return False
        return True

    async def work_off(self, entry: DiscardedGrant) -> bool:
        """Revoke what is in the outbox, and take it out: whether that was done.

        Raises nothing expected: what was not done stays in the outbox. So does what does not open:
        its key may be mended.
        """
        try:
            async with asyncio.timeout(self.seconds):
                grant = await self.grants.open(entry.place, entry.sealed_grant)
                was_alive = await self.login.revoke(grant)
                if entry.may_be_spent and not was_alive:
                    await self._end_family(grant)
                await self.outbox.delete(entry)
        except (FlowRunnerError, TimeoutError):
            event("revocation_failed", tenant=entry.tenant, user=entry.user)
            return False
        return True

    async def _end_family(self, grant: Grant) -> None:
        """The token is spent, and what came of it is in nobody's hands: to use a spent token once
        more ends what came of it (RFC 9700, 4.14.2; so does Salesforce)."""
        try:
            await self.login.revoke(await self.login.refresh(grant))
        except NotConnectedError:
            return
