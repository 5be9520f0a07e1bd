"""Every five minutes: what was left behind is revoked, and what the journal holds finds its way.

Left behind are discarded grants (the outbox), parked ones that nobody has claimed in ten minutes or
whose claim was cut short, and journalled ones whose connection is there no more.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from shared.errors import FlowRunnerError, SealBrokenError, UpstreamError
from shared.model import (
    IDLE_LIMIT,
    DataSubject,
    DiscardedGrant,
    JournalledGrant,
    Pending,
    PendingKind,
    TenantId,
    TenantStatus,
)
from shared.ports import Clock, ConnectionStore, PendingStore, RevocationOutbox, TenantStore
from shared.telemetry.events import alarm, event
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.refresh_grant import RefreshGrant
from shared.usecases.revocation import Revocations
from shared.usecases.rounds import go_through
from shared.usecases.sealed_grants import SealedGrants

PARKED_PATIENCE: Final = timedelta(hours=48)
"""How long a parked grant that cannot be revoked is kept for another try: longer than a deletion
takes, which has to find it."""

_CLAIM: Final = timedelta(minutes=5)
"""Longer than the host lets a function run: whoever claimed it that long ago is at it no more."""

_JOURNAL_PAUSE: Final = timedelta(minutes=2)
"""Longer than a lease: before that, the row still carries the lease of whoever wrote the entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOffRevocations:
    tenants: TenantStore
    connections: ConnectionStore
    outbox: RevocationOutbox
    pending: PendingStore
    journal: GrantJournal
    grants: SealedGrants
    refresh: RefreshGrant
    revocations: Revocations
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self) -> None:
        """One tenant that fails holds up no other; in random order, so that none is always last."""
        found = list(await self.tenants.ids())
        secrets.SystemRandom().shuffle(found)
        await go_through(found, self._tenant, clock=self.monotonic)
        try:
            entries, _ = await self.journal.of_subject(None)  # which tells of unreadable ones
        except UpstreamError as exc:
            alarm("dependency_failed", step="revocation_worker", code=exc.code)
            return
        await go_through(entries, self._journalled, clock=self.monotonic)

    async def _tenant(self, tenant_id: TenantId) -> None:
        try:
            tenant = await self.tenants.load(tenant_id)
            if tenant is None or tenant.status is TenantStatus.DELETING:
                return  # its deletion revokes
            await self._outbox(tenant_id)
            await self._parked(tenant_id)
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=tenant_id, step="revocation_worker", code=exc.code)

    async def _outbox(self, tenant: TenantId) -> None:
        found, unreadable = await self.outbox.of_subject(DataSubject(tenant=tenant))
        if unreadable:
            event("row_unreadable", tenant=tenant, count=unreadable, step="outbox")
        now = self.clock()
        due = [entry for entry in found if entry.next_try_at <= now]
        done = [await self._is_worked_off(entry, now) for entry in due]
        if due:
            event("revocations", tenant=tenant, count=sum(done), failed=len(done) - sum(done))

    async def _is_worked_off(self, entry: DiscardedGrant, now: datetime) -> bool:
        if await self.revocations.work_off(entry):
            return True
        if entry.discarded_at + IDLE_LIMIT <= now:  # it has ended by itself
            await self.outbox.delete(entry)
            return True
        await self.outbox.replace(
            replace(entry, attempts=entry.attempts + 1, next_try_at=now + entry.pause())
        )
        return False

    async def _parked(self, tenant: TenantId) -> None:
        rows, _ = await self.pending.of_subject(DataSubject(tenant=tenant))  # the sweep tells
        now = self.clock()
        for row in rows:
            if row.kind is PendingKind.PARKED and row.expires_at <= now:
                await self._abandoned(row, now)

    async def _abandoned(self, row: Pending, now: datetime) -> None:
        """Claim it, so that nobody activates it now; look whether it was; and if not, revoke."""
        if row.claimed_at is None:
            if await self.pending.claim(row.tenant, row.digest, at=now) is None:
                return  # somebody else is at it
        elif row.claimed_at + _CLAIM > now:
            return
        connected = await self.connections.of_user(row.tenant, row.user)
        is_connected = any(each.consent == row.digest for each in connected)
        is_given_up = row.expires_at + PARKED_PATIENCE <= now
        if is_connected or await self._is_discarded(row) or is_given_up:
            await self.pending.delete(row)

    async def _is_discarded(self, row: Pending) -> bool:
        try:
            grant = await self.grants.open(row.place, row.sealed)
        except SealBrokenError:
            return True  # it never opens
        return await self.revocations.discard(grant, row.tenant, row.user)

    async def _journalled(self, entry: JournalledGrant) -> None:
        """Where the connection still waits for it, a refresh adopts it; else it is in nobody's
        hands, or written long ago."""
        if entry.written_at + _JOURNAL_PAUSE > self.clock():
            return
        try:
            row = await self.connections.load(entry.tenant, entry.user, entry.org)
            if row is not None and entry.continues(row) and row.health.action != "reconnect":
                await self.refresh(
                    entry.tenant, entry.user, entry.org, stale_generation=row.generation
                )
                return
            if (row is not None and entry.is_written(row)) or await self._is_off_the_journal(entry):
                await self.journal.forget(entry)
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=entry.tenant, step="journal", code=exc.code)

    async def _is_off_the_journal(self, entry: JournalledGrant) -> bool:
        """Whether the grant, which is in nobody's hands, is revoked or in the outbox."""
        try:
            grant = await self.grants.open(entry.place, entry.sealed_grant)
        except SealBrokenError:
            return True  # it never opens
        return await self.revocations.discard(grant, entry.tenant, entry.user)
