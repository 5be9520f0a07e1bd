"""The same user claims the parked grant: only now is the org connected.

The parked row stays until the connection stands: whatever is killed or lost in between, the timer
finds it there, and looks whether a connection came of it before it revokes anything.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

from shared.errors import (
    CompletionNotYoursError,
    FlowRunnerError,
    InvalidStateError,
    OrgNotAllowedError,
    StorageFailedError,
)
from shared.model import (
    Caller,
    ConnectedOrg,
    Connection,
    DiscardedGrant,
    Grant,
    Health,
    OneTimeCode,
    Pending,
)
from shared.ports import Clock, ConnectionStore, PendingStore, TenantStore
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess
from shared.usecases.revocation import Revocations
from shared.usecases.sealed_grants import SealedGrants

_ATTEMPTS = 5


class _MayBeWrittenError(Exception):
    """The store failed while the connection was being written, and may have written it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteConnection:
    """Closes the consent hand-over attack: whoever consented at Salesforce, only the one who
    started can activate, and only from their own session."""

    tenants: TenantStore
    pending: PendingStore
    connections: ConnectionStore
    grants: SealedGrants
    revocations: Revocations
    access: OrgAccess
    clock: Clock

    async def __call__(self, caller: Caller, completion: OneTimeCode) -> ConnectedOrg:
        """Raises InvalidStateError, CompletionNotYoursError, OrgNotAllowedError (the settings have
        changed since the consent); and then the grant is revoked."""
        claimed = await self.pending.claim(completion.tenant, completion.digest, at=self.clock())
        if claimed is None:
            raise InvalidStateError
        grant = await self.grants.open(claimed.place, claimed.sealed)
        try:
            await self._require_theirs(caller, claimed, grant)
            connection, discarded = await self._activate(caller, claimed, grant)
        except _MayBeWrittenError as exc:
            raise StorageFailedError from exc  # the timer will see, and revoke only if it is not
        except FlowRunnerError:
            if await self.revocations.try_now(grant, claimed.tenant, claimed.user):
                await self._forget(claimed)
            raise
        await self._forget(claimed)
        self.access.forget(caller, grant.org)
        event("connected", tenant=caller.tenant, user=caller.user)
        if discarded is not None:
            await self.revocations.work_off(discarded)
        return ConnectedOrg(
            connection=connection, instance_host=grant.instance_host, health=connection.health
        )

    async def _require_theirs(self, caller: Caller, claimed: Pending, grant: Grant) -> None:
        if (claimed.tenant, claimed.user) != (caller.tenant, caller.user):
            raise CompletionNotYoursError
        if claimed.expires_at <= self.clock():
            raise InvalidStateError
        tenant = await self.tenants.load(caller.tenant)
        if tenant is None or not tenant.settings.allows(grant.org):
            raise OrgNotAllowedError

    async def _activate(
        self, caller: Caller, claimed: Pending, grant: Grant
    ) -> tuple[Connection, DiscardedGrant | None]:
        """Write the new grant; the one that it replaces goes to the outbox.

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
            consent=claimed.digest,
            connected_at=now,
            refreshed_at=now,
            last_used_day=now.date().isoformat(),
        )
        fresh = replace(fresh, sealed_grant=await self.grants.seal(fresh.place, grant))
        for _ in range(_ATTEMPTS):
            old = await self.connections.load(caller.tenant, caller.user, grant.org)
            if old is not None and old.consent == fresh.consent:
                return old, None  # written by the try before, whose answer said otherwise
            discarded = None if old is None or _is_over(old) else DiscardedGrant.of(old, now)
            try:
                if old is None:
                    written = fresh if await self.connections.create(fresh) else None
                else:
                    newer = replace(fresh, generation=old.generation + 1, etag=old.etag)
                    written = await self.connections.renew(newer, discarded)
            except StorageFailedError as exc:
                raise _MayBeWrittenError from exc
            if written is not None:
                return written, discarded
        raise StorageFailedError

    async def _forget(self, claimed: Pending) -> None:
        with suppress(StorageFailedError):  # then the timer finds it, and why it was there
            await self.pending.delete(claimed)


def _is_over(old: Connection) -> bool:
    """Whether Salesforce ended it. A grant whose rotation was lost may still be good, in nobody's
    hands: it is revoked, too."""
    return old.health in (Health.EXPIRED, Health.REVOKED)
