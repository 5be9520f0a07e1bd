"""Redeem a refresh token exactly once, however many callers and instances want it at once.

Salesforce rotates refresh tokens: each serves once, and using one twice ends the user's whole
grant. So one caller takes a lease on the row, redeems, and commits the new grant before anybody
uses the new access token; the others wait and read again. The generation in the row fences writers
that come late; a row that was deleted meanwhile is never written back.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.errors import (
    FlowRunnerError,
    KeyVaultFailedError,
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
from shared.usecases.revocation import try_to_revoke
from shared.usecases.sealed_grants import SealedGrants

LEASE = timedelta(seconds=90)
"""Longer than a redemption can take: a lease that lapses under its holder invites a replay."""

_PATIENCE = timedelta(seconds=25)
_IDLE_LIMIT = timedelta(days=30)
_COMMIT_ATTEMPTS = 6
_WRITE_ATTEMPTS = 10


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
        try:
            old = await self.grants.open(leased.place, leased.sealed_grant)
            new = await self.login.refresh(old)
        except NotConnectedError as exc:
            return await self._ended(leased, self._why(leased, exc))
        except SalesforceTimeoutError:
            # Sent, and no answer: the token may be spent. Trying it again would look like theft.
            alarm("grant_lost", tenant=leased.tenant, user=leased.user, step="refresh")
            return await self._ended(leased, Health.ROTATION_LOST)
        except FlowRunnerError as exc:
            if type(exc) is SalesforceFailedError:
                # A wrong secret or a refused client: ours to mend, and nobody's grant has ended.
                alarm("dependency_failed", dependency="salesforce", step="refresh")
            with suppress(StorageFailedError):  # the lease lapses by itself
                await self._write(leased, _without_lease)
            raise
        return await self._commit(leased, new)

    def _why(self, row: Connection, failure: NotConnectedError) -> Health:
        """Salesforce has one answer for revoked and for idle too long; the last use tells which."""
        health = Health(failure.health or Health.REVOKED)
        idle_since = (self.clock() - _IDLE_LIMIT).date().isoformat()
        if health is Health.REVOKED and row.last_used_day < idle_since:
            return Health.EXPIRED
        return health

    async def _ended(self, leased: Connection, health: Health) -> Access:
        """Keep the row with the reason: the user is to be told why, and what to do.

        Unless the user has connected anew meanwhile, which is what ended the old grant: then the
        new one serves. Raises NotConnectedError.
        """
        ended_at = self.clock() if health.action == "reconnect" else None
        written = await self._write(
            leased, lambda row: _without_lease(replace(row, health=health, ended_at=ended_at))
        )
        if written is not None:
            event("grant_ended", tenant=leased.tenant, user=leased.user, health=health.value)
            raise NotConnectedError(health.value, health.action)
        return await self._by_another(leased)

    async def _commit(self, leased: Connection, new: Grant) -> Access:
        """Write the new grant before it is used, and try hard: it is the only copy there is."""
        sealed = None
        for attempt in range(_COMMIT_ATTEMPTS):
            try:
                sealed = sealed or await self.grants.seal(leased.place, new)
                written = await self._write(leased, self._committed(leased, sealed))
            except (StorageFailedError, KeyVaultFailedError):
                await self.sleep(0.2 * 2**attempt)
                continue
            if written is not None:
                event("grant_refreshed", tenant=leased.tenant, user=leased.user)
                return access_of(written, new)
            return await self._superseded(leased, new, sealed)
        alarm("grant_lost", tenant=leased.tenant, user=leased.user)
        raise StorageFailedError

    def _committed(self, leased: Connection, sealed: bytes) -> Callable[[Connection], Connection]:
        today = self.clock().date().isoformat()
        return lambda row: replace(
            _without_lease(row),
            health=Health.ACTIVE,
            generation=leased.generation + 1,
            sealed_grant=sealed,
            last_used_day=today,
            ended_at=None,
        )

    async def _superseded(self, leased: Connection, new: Grant, sealed: bytes) -> Access:
        """The row is ours no more: written already (and the answer was lost), newer, or gone.

        It is never written back. If the user has disconnected, or consented anew, or the lease has
        lapsed and somebody else holds the token that is spent now, the new grant is in nobody's
        hands, and is revoked.
        """
        row = await self.connections.load(leased.tenant, leased.user, leased.org)
        if row is not None and row.sealed_grant == sealed:
            return access_of(row, new)
        is_same_grant = row is not None and row.connected_at == leased.connected_at
        if row is None or not is_same_grant or row.generation <= leased.generation:
            await try_to_revoke(self.login, new)
        return await self._by_another(leased)

    async def _by_another(self, leased: Connection) -> Access:
        row = usable(await self.connections.load(leased.tenant, leased.user, leased.org))
        return access_of(row, await self.grants.open(row.place, row.sealed_grant))

    async def _write(
        self, leased: Connection, change: Callable[[Connection], Connection]
    ) -> Connection | None:
        """Change the row as long as it carries our lease; None once it does not.

        Others may touch the row meanwhile without touching the grant (the day of the last use),
        which changes its etag: then it is read and changed again.
        """
        row = leased
        for _ in range(_WRITE_ATTEMPTS):
            written = await self.connections.replace(change(row))
            if written is not None:
                return written
            found = await self.connections.load(leased.tenant, leased.user, leased.org)
            if found is None or not _is_still_ours(found, leased):
                return None
            row = found
        raise StorageFailedError


def _is_still_ours(row: Connection, leased: Connection) -> bool:
    """The same consent, the same generation, our lease: nobody has touched the grant."""
    return (row.connected_at, row.generation, row.lease_holder) == (
        leased.connected_at,
        leased.generation,
        leased.lease_holder,
    )


def _without_lease(row: Connection) -> Connection:
    return replace(row, lease_holder=None, lease_until=None)


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
