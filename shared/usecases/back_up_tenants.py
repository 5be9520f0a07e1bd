"""Back up every tenant: what a total loss would otherwise take, sealed with the tenant's own key.

A lease makes a tenant's deletion wait while its tenant's files are written. Grants stay out (see
`shared/model/backups.py`), and what has expired is removed.
"""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model import TenantId, TenantStatus
from shared.model.backups import BACKUP_DAYS, BACKUP_LEASE, day_of
from shared.ports import BackupStore, Clock, Leases, TenantStore
from shared.telemetry.events import SanitizedError, alarm, event
from shared.usecases.back_up_tenant import BackUpTenant

LEASE_TIME: Final = timedelta(seconds=200)
"""Less than the host lets a function run (host.json, `functionTimeout`). All tenants of one run
share it: none begins anew when it is over."""

_AT_A_TIME: Final = 4

# How tenants' ids begin: names are listed share by share, because there may be many.
_SHARES: Final = (
    *(f"ms-{digit}" for digit in "0123456789abcdef"),
    *(f"g-{digit}" for digit in "abcdefghijklmnopqrstuvwxyz234567"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackUpTenants:
    tenants: TenantStore
    leases: Leases
    back_up_tenant: BackUpTenant
    backups: BackupStore
    clock: Clock

    async def __call__(self) -> None:
        """A tenant whose backup fails is an alarm, and stops nobody else's. In random order, so
        that a run that ends early is not always too late for the same ones."""
        until = self.clock() + LEASE_TIME
        running = asyncio.Semaphore(_AT_A_TIME)
        backed_up: list[TenantId] = []

        async def back_up(tenant: TenantId) -> None:
            async with running:
                try:
                    if await self._back_up(tenant, until):
                        backed_up.append(tenant)
                except Exception as exc:  # noqa: BLE001 - nobody else's backup depends on it
                    alarm("backup", SanitizedError.of(exc), tenant=tenant)

        found = list(await self.tenants.ids())
        secrets.SystemRandom().shuffle(found)
        await asyncio.gather(*(back_up(tenant) for tenant in found))
        if backed_up:  # so the store's clock agrees with ours, by which backups expire
            event("backup", step="expired", deleted=await self._remove_expired())

    async def _back_up(self, tenant: TenantId, until: datetime) -> bool:
        """Whether there is a backup now."""
        if not await self._is_kept(tenant):
            return False
        lease = await self.leases.take(
            tenant, BACKUP_LEASE, holder=secrets.token_hex(8), until=until
        )
        if lease is None:  # somebody else is at it, or a deletion
            event("backup", tenant=tenant, outcome="skipped")
            return False
        try:
            rows = await self.back_up_tenant(lease)
            if not await self._is_kept(tenant):
                await self.back_up_tenant.take_back(tenant)
                event("backup", tenant=tenant, outcome="taken_back")
                return False
        finally:
            await self.leases.release(lease)
        event("backup", tenant=tenant, count=rows)
        return True

    async def _is_kept(self, tenant: TenantId) -> bool:
        """Whether its data is to outlive a loss: of tenants that are served, and of those that are
        suspended, but of none that is being deleted."""
        found = await self.tenants.load(tenant)
        return found is not None and found.status is not TenantStatus.DELETING

    async def _remove_expired(self) -> int:
        """Whoever's they are: the files of tenants that are gone go as well."""
        oldest = self.clock().date() - timedelta(days=BACKUP_DAYS)
        deleted = 0
        for share in _SHARES:
            for name in await self.backups.names(share):
                day = day_of(name)
                if day is not None and day < oldest:
                    await self.backups.delete(name)
                    deleted += 1
        return deleted
