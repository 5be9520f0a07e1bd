"""Forget an org's grant here at once, and revoke it at Salesforce."""

from dataclasses import dataclass

from shared.errors import (
    KeyVaultFailedError,
    NotFoundError,
    SalesforceFailedError,
    StorageFailedError,
)
from shared.model import Caller, Grant, OrgId
from shared.ports import ConnectionStore, SalesforceLogin
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess
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
            try:
                await self.login.revoke(grant)
            except SalesforceFailedError:
                event("revocation_failed", tenant=caller.tenant, user=caller.user)
        event("disconnected", tenant=caller.tenant, user=caller.user)

    async def _forget(self, caller: Caller, org: OrgId) -> Grant | None:
        for _ in range(_ATTEMPTS):
            connection = await self.connections.load(caller.tenant, caller.user, org)
            if connection is None:
                raise NotFoundError
            if await self.connections.delete(connection):
                try:
                    return await self.grants.open(connection.place, connection.sealed_grant)
                except KeyVaultFailedError:
                    return None  # forgotten all the same; it cannot be read, so not revoked
        raise StorageFailedError  # changed under us each time
