"""The orgs that a user has connected, each with its health and what mends it."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import KeyVaultFailedError
from shared.model import Caller, ConnectedOrg, Connection, Health
from shared.ports import ConnectionStore
from shared.usecases.sealed_grants import SealedGrants


@dataclass(frozen=True, slots=True, kw_only=True)
class ListConnections:
    connections: ConnectionStore
    grants: SealedGrants

    async def __call__(self, caller: Caller) -> Sequence[ConnectedOrg]:
        rows = await self.connections.of_user(caller.tenant, caller.user)
        return [await self._seen(row) for row in rows]

    async def _seen(self, connection: Connection) -> ConnectedOrg:
        if not connection.sealed_grant:  # it lapsed, or was revoked: there is nothing to open
            return ConnectedOrg(connection=connection, instance_host=None, health=connection.health)
        try:
            grant = await self.grants.open(connection.place, connection.sealed_grant)
        except KeyVaultFailedError:
            return ConnectedOrg(
                connection=connection, instance_host=None, health=Health.KEY_UNAVAILABLE
            )
        return ConnectedOrg(
            connection=connection,
            instance_host=grant.instance_host,
            health=connection.health,
        )
