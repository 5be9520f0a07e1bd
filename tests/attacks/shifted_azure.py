"""The adapters as deployed, with clocks that can be moved, so that nothing has to sleep."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from shared import ports
from shared.model import Lease, TenantId
from shared.outside import Azure
from shared.storage.leases import TableLeases


class ShiftedAzure(Azure):
    """Its own clock is `ahead`, and so is that of the store, which timers compare theirs with."""

    ahead = timedelta()

    @cached_property
    def clock(self) -> ports.Clock:
        return lambda: datetime.now(UTC) + self.ahead

    @cached_property
    def leases(self) -> ports.Leases:
        leases = _ShiftedLeases(self._tables, clock=self.clock)
        leases.ahead = lambda: self.ahead
        return leases


class _ShiftedLeases(TableLeases):
    ahead: Callable[[], timedelta]

    async def take(
        self, tenant: TenantId, name: str, *, holder: str, until: datetime
    ) -> Lease | None:
        lease = await super().take(tenant, name, holder=holder, until=until)
        return lease and replace(lease, store_time=lease.store_time + self.ahead())
