"""Grants whose refresh token nobody has used for nearly 30 days: refreshed, or let lapse.

Salesforce ends a refresh token that is idle for 30 days. Who goes on using an org loses nothing by
that, whatever the tenant has settled; for who does not, the tenant's setting `idle_grants` decides.
A grant that lapses here is revoked as well: some orgs keep theirs for longer.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from time import monotonic
from typing import Final

from shared.errors import FlowRunnerError
from shared.model import IDLE_LIMIT, Connection, DiscardedGrant, Health, Tenant, TenantId
from shared.ports import Clock, ConnectionStore, TenantStore
from shared.telemetry.events import alarm, event
from shared.usecases.refresh_grant import RefreshGrant
from shared.usecases.revocation import Revocations
from shared.usecases.rounds import go_through

REFRESHED_AFTER: Final = timedelta(days=25)
"""Five days before the end: a weekend, and an org that is down, still leave time."""


_BUDGET: Final = timedelta(minutes=2)
"""A refresh that has begun may take most of a minute more; the host ends a function after four
(host.json)."""


class _Lot(Enum):
    """What becomes of an idle grant in this run."""

    KEPT = "kept"
    LAPSED = "lapsed"
    LEFT = "left"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    tenants: TenantStore
    connections: ConnectionStore
    refresh: RefreshGrant
    revocations: Revocations
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self) -> None:
        """Tenant by tenant, in random order, for two minutes. One that fails holds up no other:
        what there is no time for, and what failed, is tried again at the next run."""
        tenants = list(await self.tenants.ids())
        secrets.SystemRandom().shuffle(tenants)
        until = self.monotonic() + _BUDGET.total_seconds()
        done: list[_Lot] = []

        async def tenant(tenant_id: TenantId) -> None:
            done.extend([lot async for lot in self._tenant(tenant_id, until)])

        await go_through(tenants, tenant, budget=_BUDGET, clock=self.monotonic)
        event(
            "keep_alive",
            count=done.count(_Lot.KEPT),
            deleted=done.count(_Lot.LAPSED),
            failed=done.count(_Lot.FAILED),
        )

    async def _tenant(self, tenant_id: TenantId, until: float) -> AsyncIterator[_Lot]:
        try:
            tenant = await self.tenants.load(tenant_id)
            if tenant is None or not tenant.is_active:
                return
            idle_since = self.clock() - REFRESHED_AFTER
            found = list(await self.connections.idle(tenant_id, since=idle_since))
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=tenant_id, step="keep_alive", code=exc.code)
            return
        secrets.SystemRandom().shuffle(found)
        for row in found:
            if self.monotonic() >= until:
                return
            if row.health.action != "reconnect" and not row.is_being_deleted:
                yield await self._one(tenant, row)

    async def _one(self, tenant: Tenant, row: Connection) -> _Lot:
        now = self.clock()
        try:
            if _is_wanted(tenant, row, now):
                await self.refresh(row.tenant, row.user, row.org, stale_generation=row.generation)
                return _Lot.KEPT
            if row.refreshed_at <= now - IDLE_LIMIT and await self._lapsed(row, now):
                return _Lot.LAPSED
        except FlowRunnerError as exc:
            event("dependency_failed", tenant=row.tenant, step="keep_alive", code=exc.code)
            return _Lot.FAILED
        return _Lot.LEFT

    async def _lapsed(self, row: Connection, now: datetime) -> bool:
        """Say that it has ended, and revoke it. Not while somebody is refreshing it."""
        if row.is_leased(now):
            return False
        discarded = DiscardedGrant.of(row, now)
        ended = replace(
            row,
            health=Health.EXPIRED,
            ended_at=now,
            sealed_grant=b"",
            lease_holder=None,
            lease_until=None,
            answer_lost=False,
        )
        if await self.connections.renew(ended, discarded) is None:
            return False  # it was used at this very moment
        event("grant_ended", tenant=row.tenant, user=row.user, health=Health.EXPIRED.value)
        await self.revocations.work_off(discarded)
        return True


def _is_wanted(tenant: Tenant, row: Connection, now: datetime) -> bool:
    """Whether the grant is to live on: somebody uses it, or the tenant wants all to."""
    still_used = row.last_used_day > (now - REFRESHED_AFTER).date().isoformat()
    return still_used or tenant.settings.idle_grants == "keep_alive"
