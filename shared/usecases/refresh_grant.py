"""Redeem a refresh token exactly once, however many callers and instances want it at once.

Salesforce rotates refresh tokens: each serves once, and using one twice ends the user's whole
grant. So one caller takes a lease on the row, redeems, and commits the new grant before anybody
uses the new access token; the others wait and read again. The generation in the row fences writers
that come late; a row that was deleted meanwhile is never written back.

An answer that never came ends nothing by itself. If the token was not spent, asking again brings a
grant; if it was, the new one is in nobody's hands, and asking again ends it and tells so. That is
done under the lease, one at a time, and is the only way to `rotation_lost`.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import (
    DeletionInProgressError,
    FlowRunnerError,
    KeyVaultFailedError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    SealBrokenError,
    StorageFailedError,
)
from shared.model import (
    IDLE_LIMIT,
    Access,
    Connection,
    Grant,
    Health,
    JournalledGrant,
    OrgId,
    TenantId,
    UserId,
)
from shared.ports import Clock, ConnectionStore, SalesforceLogin
from shared.telemetry.events import alarm, event
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.revocation import Revocations
from shared.usecases.sealed_grants import SealedGrants

LEASE = timedelta(seconds=90)
"""Longer than a redemption can take, asked twice: a lease that lapses under its holder invites a
replay."""

_PATIENCE = timedelta(seconds=25)
_LAST_WRITE = timedelta(seconds=20)
"""With less left of the lease, no further write is begun: it might outlive the lease."""
_TIME_TO_ASK = timedelta(seconds=45)
"""For an answer (`shared.salesforce.token_endpoint`), and for writing it."""
_PAUSE_SECONDS = 1.0
_WRITE_ATTEMPTS = 10
_TO_THE_JOURNAL = range(3, 1_000, 2)
"""Which attempts to keep a grant go to the journal: every other one, once the tables have failed
three times."""
_JOURNAL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshGrant:
    connections: ConnectionStore
    grants: SealedGrants
    journal: GrantJournal
    login: SalesforceLogin
    revocations: Revocations
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(
        self, tenant: TenantId, user: UserId, org: OrgId, *, stale_generation: int
    ) -> Access:
        """Access of another generation than the stale one, redeemed here or by somebody else.

        Raises NotConnectedError (the grant has ended), SalesforceUnavailableError (waited in vain),
        SalesforceFailedError and its kinds, StorageFailedError, KeyVaultFailedError.
        """
        holder, in_progress = secrets.token_hex(8), 0
        until = self.clock() + _PATIENCE
        while self.clock() < until:
            row = usable(await self.connections.load(tenant, user, org))
            if row.generation != stale_generation:
                return await self._opened(row)
            if row.is_being_deleted:
                raise DeletionInProgressError
            if row.is_leased(self.clock()) and row.lease_holder != holder:
                await self._wait(0)
                continue
            # Ours already, where the answer of the store said otherwise.
            leased = row if row.lease_holder == holder else await self._leased(row, holder)
            if leased is None:
                continue  # somebody else took it
            try:
                return await self._under_lease(leased)
            except RefreshInProgressError:
                await self._wait(in_progress)
                in_progress += 1
        raise SalesforceUnavailableError

    async def _wait(self, times: int) -> None:
        """With jitter, and longer each time that Salesforce has been asked in vain."""
        await self.sleep((0.1 + secrets.randbelow(200) / 1000) * 2 ** min(times, 4))

    async def _opened(self, row: Connection) -> Access:
        return access_of(row, await self.grants.open(row.place, row.sealed_grant))

    async def _leased(self, row: Connection, holder: str) -> Connection | None:
        """The row with our lease. A lapsed one in it is that of a holder who died: perhaps after
        the token was sent."""
        return await self.connections.replace(
            replace(
                row,
                lease_holder=holder,
                lease_until=self.clock() + LEASE,
                answer_lost=row.may_be_spent,
            )
        )

    async def _under_lease(self, leased: Connection) -> Access:
        try:
            if leased.answer_lost and (access := await self._adopted(leased)) is not None:
                return access
            old = await self.grants.open(leased.place, leased.sealed_grant)
        except (StorageFailedError, KeyVaultFailedError):
            await self._give_back(leased)
            raise
        return await self._redeem(leased, old)

    async def _adopted(self, leased: Connection) -> Access | None:
        """What the journal has of an earlier refresh, now written into the row; None: nothing."""
        entry = await self.journal.read(leased)
        if entry is None or not entry.continues(leased):
            return None
        try:
            new = await self.grants.open(entry.place, entry.sealed_grant)
        except SealBrokenError:
            return None  # whatever it is, no refresh of ours wrote it
        written = await self._write(leased, self._committed(leased, entry.sealed_grant))
        if written is None:
            raise RefreshInProgressError  # somebody has taken over, and finds the entry, too
        with suppress(StorageFailedError):  # else the timer takes it away
            await self.journal.forget(entry)
        return access_of(written, new)

    async def _redeem(self, leased: Connection, old: Grant) -> Access:
        """Ask Salesforce, and once more if no answer came. With too little left of the lease,
        nothing is sent: somebody else could be asking before we have an answer."""
        is_last_try = False
        while True:
            if self.clock() > _lease_end(leased) - _TIME_TO_ASK:
                await self._give_back(leased)
                raise SalesforceUnavailableError
            try:
                new = await self.login.refresh(old)
            except SalesforceTimeoutError:
                event("answer_lost", tenant=leased.tenant, user=leased.user)
                leased = replace(leased, answer_lost=True)
                if is_last_try:
                    await self._give_back(leased)  # and whoever comes next asks again
                    raise
                is_last_try = True
                await self.sleep(_PAUSE_SECONDS)
            except NotConnectedError as exc:
                return await self._ended(leased, self._why(leased, exc))
            except FlowRunnerError as exc:
                if type(exc) is SalesforceFailedError:
                    # A wrong secret or a refused client: ours to mend, nobody's grant has ended.
                    alarm("dependency_failed", dependency="salesforce", step="refresh")
                await self._give_back(leased)
                raise
            else:
                return await self._commit(leased, new)

    async def _give_back(self, leased: Connection) -> None:
        """The lease, not the row's memory of an answer that never came."""
        with suppress(StorageFailedError):  # then the lease lapses by itself
            await self._write(
                leased,
                lambda row: replace(_without_lease(row), answer_lost=leased.answer_lost),
            )

    def _why(self, leased: Connection, failure: NotConnectedError) -> Health:
        """Salesforce has one answer for a token that was revoked, idle for too long, or spent. What
        we know of it tells which."""
        health = Health(failure.health or Health.REVOKED)
        if health is not Health.REVOKED:
            return health
        if leased.answer_lost:
            return Health.ROTATION_LOST
        is_idle = leased.refreshed_at <= self.clock() - IDLE_LIMIT
        return Health.EXPIRED if is_idle else Health.REVOKED

    async def _ended(self, leased: Connection, health: Health) -> Access:
        """Keep the row with the reason: the user is to be told why, and what to do.

        Unless the user has connected anew meanwhile, which is what ended the old grant: then the
        new one serves. Raises NotConnectedError.
        """
        ended_at = self.clock() if health.action == "reconnect" else None
        written = await self._write(
            leased, lambda row: _without_lease(replace(row, health=health, ended_at=ended_at))
        )
        if written is None:
            return await self._by_another(leased)
        event("grant_ended", tenant=leased.tenant, user=leased.user, health=health.value)
        if health is Health.ROTATION_LOST:
            alarm("grant_lost", tenant=leased.tenant, user=leased.user, step="refresh")
        raise NotConnectedError(health.value, health.action)

    async def _commit(self, leased: Connection, new: Grant) -> Access:
        """Write the new grant before it is used, and try as long as the lease lasts: it is the only
        copy there is. What the tables do not take after some tries, the journal takes."""
        until = _lease_end(leased) - _LAST_WRITE
        sealed, attempts = None, 0
        while attempts == 0 or self.clock() < until:
            try:
                sealed = sealed or await self.grants.seal(leased.place, new)
                if attempts in _TO_THE_JOURNAL:
                    await self._journal(leased, sealed)
                    written = replace(leased, generation=leased.generation + 1)
                elif (row := await self._write(leased, self._committed(leased, sealed))) is None:
                    return await self._superseded(leased, new, sealed)
                else:
                    written = row
            except (StorageFailedError, KeyVaultFailedError):
                attempts += 1
                await self.sleep(min(0.2 * 2**attempts, 5.0))
            else:
                event("grant_refreshed", tenant=leased.tenant, user=leased.user)
                return replace(access_of(written, new), is_fresh=True)
        alarm("grant_lost", tenant=leased.tenant, user=leased.user, step="commit")
        raise StorageFailedError

    def _committed(self, leased: Connection, sealed: bytes) -> Callable[[Connection], Connection]:
        now = self.clock()
        return lambda row: replace(
            _without_lease(row),
            health=Health.ACTIVE,
            generation=leased.generation + 1,
            sealed_grant=sealed,
            refreshed_at=now,
            answer_lost=False,
            ended_at=None,
        )

    async def _journal(self, leased: Connection, sealed: bytes) -> None:
        """The lease stays, and lapses: until then nobody asks Salesforce, and then the journal is
        read first. Raises StorageFailedError."""
        entry = JournalledGrant(
            tenant=leased.tenant,
            user=leased.user,
            org=leased.org,
            consent=leased.consent,
            generation=leased.generation + 1,
            sealed_grant=sealed,
            written_at=self.clock(),
        )
        try:
            async with asyncio.timeout(_JOURNAL_SECONDS):
                await self.journal.write(entry)
        except TimeoutError as exc:
            raise StorageFailedError from exc
        alarm("grant_journalled", tenant=leased.tenant, user=leased.user)

    async def _superseded(self, leased: Connection, new: Grant, sealed: bytes) -> Access:
        """The row is ours no more: written already (and the answer was lost), newer, or gone.

        It is never written back. If the user has disconnected, or consented anew, or the lease has
        lapsed and somebody else holds the token that is spent now, the new grant is in nobody's
        hands, and is revoked.
        """
        row = await self.connections.load(leased.tenant, leased.user, leased.org)
        if row is not None and row.sealed_grant == sealed:
            return access_of(row, new)
        is_same_grant = row is not None and row.consent == leased.consent
        if row is None or not is_same_grant or row.generation <= leased.generation:
            await self.revocations.discard(new, leased.tenant, leased.user)
        return await self._by_another(leased)

    async def _by_another(self, leased: Connection) -> Access:
        """What somebody else has made of the row. Raises SalesforceUnavailableError while they are
        still at it: what is there is the stale access."""
        row = usable(await self.connections.load(leased.tenant, leased.user, leased.org))
        if (row.consent, row.generation) == (leased.consent, leased.generation):
            raise SalesforceUnavailableError
        return await self._opened(row)

    async def _write(
        self, leased: Connection, change: Callable[[Connection], Connection]
    ) -> Connection | None:
        """Change the row as long as it carries our lease; None once it does not.

        Others may touch the row meanwhile without touching the grant (the day of the last use, its
        seal renewed under another key), which changes its etag: then it is read and changed again.
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
    return (row.consent, row.generation, row.lease_holder) == (
        leased.consent,
        leased.generation,
        leased.lease_holder,
    )


def _lease_end(leased: Connection) -> datetime:
    if leased.lease_until is None:
        raise ValueError("only what was leased is redeemed")
    return leased.lease_until


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
