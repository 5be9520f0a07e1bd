"""Redeem a refresh token exactly once, however many callers and instances want it at once.

Salesforce rotates refresh tokens: each serves once, and using one twice ends the user's whole
grant. So one caller takes a lease on the row, redeems, and commits the new grant before anybody
uses the new access token; the others wait and read again. The generation in the row fences writers
that come late; a row that was deleted meanwhile is never written back.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.errors import (
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Access, Connection, Grant, Health, OrgId, TenantId, UserId
from shared.ports import Clock, ConnectionStore, SalesforceLogin
from shared.telemetry.events import alarm, event
from shared.usecases.sealed_grants import SealedGrants

LEASE = timedelta(seconds=90)
"""Longer than a redemption can take: a lease that lapses under its holder invites a replay."""

_PATIENCE = timedelta(seconds=25)
_IDLE_LIMIT = timedelta(days=30)
_COMMIT_ATTEMPTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshGrant:
    connections: ConnectionStore
    grants: SealedGrants
    login: SalesforceLogin
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(
        self, tenant: TenantId, user: UserId, org: OrgId, *, stale_generation: int
    ) -> Access:
        """Access of another generation than the stale one, redeemed here or by somebody else.

        Raises NotConnectedError (the grant has ended), SalesforceUnavailableError (waited in vain),
        SalesforceFailedError, StorageFailedError, KeyVaultFailedError.
        """
        until = self.clock() + _PATIENCE
        while self.clock() < until:
            row = usable(await self.connections.load(tenant, user, org))
            if row.generation != stale_generation:
                return access_of(row, await self.grants.open(row.place, row.sealed_grant))
            if row.lease_until is not None and row.lease_until > self.clock():
                await self._wait()
                continue
            holder = secrets.token_hex(8)
            leased = await self.connections.replace(
                replace(row, lease_holder=holder, lease_until=self.clock() + LEASE)
            )
            if leased is None:
                continue  # somebody else took it
            try:
                return await self._redeem(leased)
            except RefreshInProgressError:
                await self._wait()
        raise SalesforceUnavailableError

    async def _wait(self) -> None:
        await self.sleep(0.1 + secrets.randbelow(200) / 1000)

    async def _redeem(self, leased: Connection) -> Access:
        old = await self.grants.open(leased.place, leased.sealed_grant)
        try:
            new = await self.login.refresh(old)
        except NotConnectedError as exc:
            health = self._why(leased, Health(exc.health or Health.REVOKED))
            await self._end(leased, health)
            raise NotConnectedError(health.value, health.action) from exc
        except SalesforceTimeoutError as exc:
            # Sent, and no answer: the token may be used up. Trying it again would look like theft.
            await self._end(leased, Health.ROTATION_LOST)
            lost = Health.ROTATION_LOST
            raise NotConnectedError(lost.value, lost.action) from exc
        except SalesforceUnavailableError:
            await self._release(leased)
            raise
        except SalesforceFailedError:
            # A wrong secret or a refused client: ours to mend, and no user's grant has ended.
            alarm("dependency_failed", dependency="salesforce", step="refresh")
            await self._release(leased)
            raise
        return await self._commit(leased, new)

    def _why(self, row: Connection, health: Health) -> Health:
        """Salesforce has one answer for revoked and for idle too long; the last use tells which."""
        idle_since = (self.clock() - _IDLE_LIMIT).date().isoformat()
        if health is Health.REVOKED and row.last_used_day < idle_since:
            return Health.EXPIRED
        return health

    async def _commit(self, leased: Connection, new: Grant) -> Access:
        """Write the new grant before it is used; the write is retried, for it is the only copy."""
        fresh = replace(
            leased,
            health=Health.ACTIVE,
            generation=leased.generation + 1,
            sealed_grant=await self.grants.seal(leased.place, new),
            last_used_day=self.clock().date().isoformat(),
            lease_holder=None,
            lease_until=None,
        )
        for attempt in range(_COMMIT_ATTEMPTS):
            try:
                written = await self.connections.replace(fresh)
            except StorageFailedError:
                await self.sleep(0.2 * 2**attempt)
                continue
            if written is not None:
                event("grant_refreshed", tenant=leased.tenant, user=leased.user)
                return access_of(written, new)
            return await self._superseded(leased, new)
        alarm("grant_lost", tenant=leased.tenant, user=leased.user)
        raise StorageFailedError

    async def _superseded(self, leased: Connection, new: Grant) -> Access:
        """The row is not as read: ours already (the answer was lost), newer, or gone."""
        row = await self.connections.load(leased.tenant, leased.user, leased.org)
        if row is not None and row.generation > leased.generation:
            return access_of(row, await self.grants.open(row.place, row.sealed_grant))
        await self.login.revoke(new)  # disconnected or deleted meanwhile: never written back
        raise NotConnectedError

    async def _end(self, leased: Connection, health: Health) -> None:
        """Keep the row with the reason: the user is to be told why, and what to do."""
        event("grant_ended", tenant=leased.tenant, user=leased.user, health=health.value)
        await self.connections.replace(
            replace(leased, health=health, lease_holder=None, lease_until=None)
        )

    async def _release(self, leased: Connection) -> None:
        await self.connections.replace(replace(leased, lease_holder=None, lease_until=None))


def usable(row: Connection | None) -> Connection:
    """The row, if a call may be tried with it. Raises NotConnectedError.

    A grant that only a new consent can mend is not tried again; one that waits for the org or an
    administrator is.
    """
    if row is None:
        raise NotConnectedError
    if row.health.action == "reconnect":
        raise NotConnectedError(row.health.value, row.health.action)
    return row


def access_of(row: Connection, grant: Grant) -> Access:
    return Access(
        org=row.org,
        instance_host=grant.instance_host,
        token=grant.access_token,
        generation=row.generation,
    )
