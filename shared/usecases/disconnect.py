"""Forget an org's grant here at once, and revoke it at Salesforce."""

from dataclasses import dataclass

from shared.errors import NotFoundError, SealBrokenError, StorageFailedError
from shared.model import Caller, Connection, Grant, OrgId
from shared.ports import ConnectionStore, SalesforceLogin
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess
from shared.usecases.revocation import try_to_revoke
from shared.usecases.sealed_grants import SealedGrants

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    connections: ConnectionStore
    grants: SealedGrants
    login: SalesforceLogin
    access: OrgAccess

    async def __call__(self, caller: Caller, org: OrgId) -> None:
        """Raises NotFoundError if the caller has no such connection.

        The row goes first: from then on no refresh can be written back. A refresh that was under
        way at that moment finds its row gone and revokes what it got.
        """
        grant = await self._forget(caller, org)
        self.access.forget(caller, org)
        if grant is not None:
            await try_to_revoke(self.login, grant)
        event("disconnected", tenant=caller.tenant, user=caller.user)

    async def _forget(self, caller: Caller, org: OrgId) -> Grant | None:
        """Read, then delete as read: a failure before the deletion can be tried again."""
        for _ in range(_ATTEMPTS):
            connection = await self.connections.load(caller.tenant, caller.user, org)
            if connection is None:
                raise NotFoundError
            grant = await self._read(connection)
            if await self.connections.delete(connection):
                return grant
        raise StorageFailedError  # changed under us each time

    async def _read(self, connection: Connection) -> Grant | None:
        try:
            return await self.grants.open(connection.place, connection.sealed_grant)
        except SealBrokenError:
            event("revocation_failed", tenant=connection.tenant, user=connection.user)
            return None  # it never opens, so it cannot be revoked; forgotten it can be
