"""Forget an org's grant here at once, and revoke it at Salesforce."""

from dataclasses import dataclass

from shared.errors import NotFoundError, StorageFailedError
from shared.model import Caller, DiscardedGrant, Health, OrgId
from shared.ports import Clock, ConnectionStore
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess
from shared.usecases.revocation import Revocations

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    connections: ConnectionStore
    revocations: Revocations
    access: OrgAccess
    clock: Clock

    async def __call__(self, caller: Caller, org: OrgId) -> None:
        """Raises NotFoundError if the caller has no such connection.

        The row goes to the outbox first, as it is and in one transaction: from then on no refresh
        can be written back, and no outage of the org or of Key Vault keeps it here or lets it be
        forgotten there. A refresh that was under way finds its row gone and revokes what it got.
        """
        discarded = await self._forget(caller, org)
        self.access.forget(caller, org)
        event("disconnected", tenant=caller.tenant, user=caller.user)
        if discarded is not None:
            await self.revocations.work_off(discarded)

    async def _forget(self, caller: Caller, org: OrgId) -> DiscardedGrant | None:
        """What is to be revoked; None if Salesforce ended it before."""
        discarded = None
        for _ in range(_ATTEMPTS):
            connection = await self.connections.load(caller.tenant, caller.user, org)
            if connection is None and discarded is None:
                raise NotFoundError
            if connection is None:  # written by the try before, whose answer said otherwise
                return discarded
            if connection.health in (Health.EXPIRED, Health.REVOKED):
                if await self.connections.delete(connection):
                    return None
                continue
            discarded = DiscardedGrant.of(connection, self.clock())
            if await self.connections.disconnect(connection, discarded):
                return discarded
        raise StorageFailedError  # changed under us each time
