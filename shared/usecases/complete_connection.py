"""The same user claims the parked grant: only now is the org connected."""

from dataclasses import dataclass, replace

from shared.errors import (
    CompletionNotYoursError,
    FlowRunnerError,
    InvalidStateError,
    OrgNotAllowedError,
    StorageFailedError,
    UpstreamError,
)
from shared.model import (
    Caller,
    ConnectedOrg,
    Connection,
    Grant,
    Health,
    OneTimeCode,
    PendingKind,
)
from shared.ports import Clock, ConnectionStore, PendingStore, SalesforceLogin, TenantStore
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess
from shared.usecases.revocation import try_to_revoke
from shared.usecases.sealed_grants import SealedGrants

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteConnection:
    """Closes the consent hand-over attack: whoever consented at Salesforce, only the one who
    started can activate, and only from their own session."""

    tenants: TenantStore
    pending: PendingStore
    connections: ConnectionStore
    grants: SealedGrants
    login: SalesforceLogin
    access: OrgAccess
    clock: Clock

    async def __call__(self, caller: Caller, completion: OneTimeCode) -> ConnectedOrg:
        """Raises InvalidStateError, CompletionNotYoursError, OrgNotAllowedError (the settings have
        changed since the consent); and then the grant is revoked."""
        taken = await self.pending.take(completion.tenant, PendingKind.PARKED, completion.digest)
        if taken is None:
            raise InvalidStateError
        grant = await self.grants.open(taken.place, taken.sealed)
        if (taken.tenant, taken.user) != (caller.tenant, caller.user):
            await try_to_revoke(self.login, grant)
            raise CompletionNotYoursError
        if taken.expires_at <= self.clock():
            await try_to_revoke(self.login, grant)
            raise InvalidStateError
        try:
            await self._require_allowed(caller, grant)
            connection = await self._activate(caller, grant)
        except FlowRunnerError:
            await try_to_revoke(self.login, grant)  # its code is used up: nobody can claim it now
            raise
        self.access.forget(caller, grant.org)
        event("connected", tenant=caller.tenant, user=caller.user)
        return ConnectedOrg(
            connection=connection, instance_host=grant.instance_host, health=connection.health
        )

    async def _require_allowed(self, caller: Caller, grant: Grant) -> None:
        tenant = await self.tenants.load(caller.tenant)
        if tenant is None or not tenant.settings.allows(grant.org):
            raise OrgNotAllowedError

    async def _activate(self, caller: Caller, grant: Grant) -> Connection:
        """Write the new grant, then revoke the one it replaces.

        A user may hold five grants of an app; Salesforce ends the oldest silently, so what is
        replaced is revoked rather than left lying.
        """
        now = self.clock()
        fresh = Connection(
            tenant=caller.tenant,
            user=caller.user,
            org=grant.org,
            health=Health.ACTIVE,
            generation=1,
            sealed_grant=b"",
            connected_at=now,
            last_used_day=now.date().isoformat(),
        )
        fresh = replace(fresh, sealed_grant=await self.grants.seal(fresh.place, grant))
        for _ in range(_ATTEMPTS):
            old = await self.connections.load(caller.tenant, caller.user, grant.org)
            if old is None:
                if await self.connections.create(fresh):
                    return fresh
                continue
            newer = replace(fresh, generation=old.generation + 1, etag=old.etag)
            if (written := await self.connections.renew(newer)) is not None:
                await self._revoke_replaced(old, grant)
                return written
        raise StorageFailedError

    async def _revoke_replaced(self, old: Connection, new_grant: Grant) -> None:
        """A grant whose rotation was lost may still be good, in nobody's hands: it goes, too."""
        if old.health in (Health.EXPIRED, Health.REVOKED):
            return  # Salesforce ended it already
        try:
            old_grant = await self.grants.open(old.place, old.sealed_grant)
        except UpstreamError:
            event("revocation_failed", tenant=old.tenant, user=old.user)
            return  # what cannot be read cannot be revoked, and must not be in the way
        if old_grant.refresh_token != new_grant.refresh_token:
            await try_to_revoke(self.login, old_grant)
