"""What has outlived its retention goes: hourly, tenant by tenant.

The cost grows with what has expired: of what is kept, only the one-time codes of the last minutes
are looked at. A run that was missed is made up for by the next, because what expired meanwhile is
simply there. What cannot be undone is not done by a clock that the store contradicts.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from shared.errors import FlowRunnerError
from shared.model import (
    DataSubject,
    PendingKind,
    Swept,
    Tenant,
    TenantId,
    TenantStatus,
)
from shared.model.backups import ledger_name
from shared.ports import (
    BackupStore,
    Clock,
    ConnectionStore,
    DeletionStore,
    Leases,
    PendingStore,
    Sweeper,
    TenantStore,
)
from shared.telemetry.events import alarm, event
from shared.usecases.rounds import go_through

RETENTION_LEASE: Final = "retention"
IDEMPOTENCY_LIFETIME: Final = timedelta(hours=24)
ENDED_GRANT_LIFETIME: Final = timedelta(days=30)
RECEIPT_LIFETIME: Final = timedelta(days=3_653)
"""Ten years: receipts prove a deletion."""

_LEASE: Final = timedelta(minutes=10)
_WRONG_CLOCK: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUp:
    tenants: TenantStore
    leases: Leases
    sweeper: Sweeper
    pending: PendingStore
    connections: ConnectionStore
    deletions: DeletionStore
    backups: BackupStore
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self, *, is_late: bool = False) -> None:
        """One tenant that fails holds up no other. In random order, so that a run that ends
        early is not always too late for the same ones."""
        found = list(await self.tenants.ids())
        secrets.SystemRandom().shuffle(found)
        agreed: set[TenantId] = set()

        async def clean(tenant: TenantId) -> None:
            if await self._one(tenant, is_late=is_late):
                agreed.add(tenant)

        await go_through(found, clean, clock=self.monotonic)
        if agreed:  # the store has told that our clock is right
            await self._old_receipts(self.clock() - RECEIPT_LIFETIME)

    async def _old_receipts(self, before: datetime) -> None:
        """The ledger's entry first: without its row nobody would find it again."""
        try:
            for deletion in await self.deletions.receipted(before=before):
                await self.backups.delete(ledger_name(deletion.tenant, deletion.id))
                await self.deletions.delete(deletion)
        except FlowRunnerError as exc:
            alarm("dependency_failed", step="retention_cleanup", code=exc.code)

    async def _one(self, tenant_id: TenantId, *, is_late: bool) -> bool:
        """Whether the tenant was done, which the store's clock has to allow."""
        try:
            tenant = await self.tenants.load(tenant_id)
            if tenant is None or tenant.status is TenantStatus.DELETING:
                return False
            now = self.clock()
            lease = await self.leases.take(
                tenant_id, RETENTION_LEASE, holder=secrets.token_hex(8), until=now + _LEASE
            )
            if lease is None:
                return False  # another instance is at it
            is_right = abs(lease.store_time - now) <= _WRONG_CLOCK
            if is_right:
                await self._sweep(tenant, now, is_late=is_late)
            else:
                alarm("clock_wrong", tenant=tenant.id, step="retention_cleanup")
            await self.leases.release(lease)
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=tenant_id, step="retention_cleanup", code=exc.code)
            return False
        return is_right

    async def _sweep(self, tenant: Tenant, now: datetime, *, is_late: bool) -> None:
        kept_since = now - timedelta(days=tenant.settings.retention_days)
        swept = await self.sweeper.runs(tenant.id, before=kept_since)
        swept += await self.sweeper.settings_changes(tenant.id, before=kept_since)
        swept += await self.sweeper.idempotency(tenant.id, before=now - IDEMPOTENCY_LIFETIME)
        swept += await self._pending(tenant.id, now)
        swept += await self._ended_grants(tenant.id, now - ENDED_GRANT_LIFETIME)
        if swept.unreadable:
            event("row_unreadable", tenant=tenant.id, count=swept.unreadable)
        event(
            "retention_cleanup",
            tenant=tenant.id,
            deleted=swept.deleted,
            failed=swept.unreadable,
            late=is_late,
        )

    async def _pending(self, tenant: TenantId, now: datetime) -> Swept:
        """What a one-time code guarded for ten minutes; parked grants are to be revoked first, by
        the timer `revocation_worker`."""
        rows, unreadable = await self.pending.of_subject(DataSubject(tenant=tenant))
        expired = [
            row for row in rows if row.expires_at <= now and row.kind is not PendingKind.PARKED
        ]
        for row in expired:
            await self.pending.delete(row)
        return Swept(deleted=len(expired), unreadable=unreadable)

    async def _ended_grants(self, tenant: TenantId, before: datetime) -> Swept:
        """Over for 30 days, and nobody has mended it."""
        deleted = 0
        for row in await self.connections.ended(tenant, before=before):
            deleted += await self.connections.delete(row)
        return Swept(deleted=deleted)
