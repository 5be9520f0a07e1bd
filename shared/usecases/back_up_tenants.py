"""Back up every tenant: what a total loss would otherwise take, sealed with the tenant's own key.

A lease makes a deletion wait while its tenant's files are written, and nothing is written when the
lease is about to lapse: what was deleted must not come back by a late upload. Grants stay out (see
`shared/model/backups.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import uuid4

from shared.backup_format import PackedRows, keys_content, manifest_content
from shared.model import Lease, TenantId, TenantStatus
from shared.model.backups import (
    BACKED_UP,
    BACKUP_DAYS,
    ROWS_A_PART,
    BackupManifest,
    BackupPart,
    day_folder,
    day_of,
    is_technical,
    keys_name,
    keys_place,
    manifest_name,
    manifest_place,
    part_name,
    part_place,
)
from shared.ports import (
    BackupStore,
    Clock,
    Leases,
    TableCopies,
    TenantKeyStore,
    TenantStore,
    Vault,
)
from shared.telemetry.events import SanitizedError, alarm, event
from shared.usecases.sealed_documents import SealedDocuments

LEASE: Final = "backup"
LEASE_TIME: Final = timedelta(seconds=230)
"""Less than the host lets a function run (host.json, `functionTimeout`)."""

LAST_CALL: Final = timedelta(seconds=60)
"""No upload begins when the lease has less than this left: half a minute for the upload itself
(`ports.BackupStore`), and as much for clocks that differ."""

_MOST_SKEW: Final = timedelta(seconds=30)
_AT_A_TIME: Final = 4

# The first letters of tenants' ids: names are listed share by share, for there may be many.
_SHARES: Final = (
    *(f"ms-{digit}" for digit in "0123456789abcdef"),
    *(f"g-{digit}" for digit in "abcdefghijklmnopqrstuvwxyz234567"),
)


class OutOfTimeError(Exception):
    """The lease is about to lapse, or cannot be relied on: nothing more may be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackUpTenants:
    tenants: TenantStore
    tenant_keys: TenantKeyStore
    leases: Leases
    copies: TableCopies
    vault: Vault
    backups: BackupStore
    clock: Clock
    rows_a_part: int = ROWS_A_PART

    async def __call__(self) -> None:
        """Back up every tenant, and remove what has expired. A failure is an alarm, and stops
        nobody else's backup."""
        ends = self.clock() + LEASE_TIME
        running = asyncio.Semaphore(_AT_A_TIME)

        async def back_up(tenant: TenantId) -> None:
            async with running:
                try:
                    await self._back_up(tenant, ends)
                except Exception as exc:  # noqa: BLE001 - the others' backups do not depend on it
                    alarm("backup", SanitizedError.of(exc), tenant=tenant)

        await asyncio.gather(*(back_up(tenant) for tenant in await self.tenants.ids()))
        event("backup", step="expired", deleted=await self._remove_expired())

    async def _back_up(self, tenant: TenantId, ends: datetime) -> None:
        if not await self._is_served(tenant):
            return
        lease = await self.leases.take(tenant, LEASE, holder=uuid4().hex, until=ends)
        if lease is None:
            event("backup", tenant=tenant, outcome="skipped")
            return
        try:
            writing = _Writing(self, lease, self.clock().date())
            rows = await writing.whole()
            if not await self._is_served(tenant):
                await writing.taken_back()
                event("backup", tenant=tenant, outcome="taken_back")
                return
        finally:
            await self.leases.release(lease)
        event("backup", tenant=tenant, count=rows)

    async def _is_served(self, tenant: TenantId) -> bool:
        found = await self.tenants.load(tenant)
        return found is not None and found.status is not TenantStatus.DELETING

    async def _remove_expired(self) -> int:
        """Whoever's they are: the files of a tenant that is gone go as well."""
        oldest = self.clock().date() - timedelta(days=BACKUP_DAYS)
        deleted = 0
        for share in _SHARES:
            for name in await self.backups.names(share):
                day = day_of(name)
                if day is not None and day < oldest:
                    await self.backups.delete(name)
                    deleted += 1
        return deleted


@dataclass(frozen=True, slots=True)
class _Writing:
    """One tenant's backup of one day, under its lease."""

    outside: BackUpTenants
    lease: Lease
    day: date

    async def whole(self) -> int:
        """Write the parts, then the manifest, then the keys: how many rows there are.

        The day's earlier manifest goes first, because the parts it names are written anew.
        """
        tenant, outside = self.lease.tenant, self.outside
        documents = SealedDocuments(vault=outside.vault)
        taken_at = outside.clock()
        if abs(self.lease.store_time - taken_at) > _MOST_SKEW:
            raise OutOfTimeError
        await outside.backups.delete(manifest_name(tenant, self.day))
        parts = [part async for table in BACKED_UP_TABLES(self) async for part in table]
        manifest = BackupManifest(tenant=tenant, taken_at=taken_at, parts=tuple(parts))
        return sum(part.rows for part in parts)
