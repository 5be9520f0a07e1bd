"""Gates and leases in memory."""

from collections.abc import Sequence
from datetime import datetime

from shared.errors import DeletionInProgressError
from shared.model import DataSubject, Lease, TenantId, UserId
from shared.ports import Clock
from tests.fakes.faults import Faults


class MemoryGates:
    """Satisfies `ports.Gates`. The stores ask it in the same breath as they insert."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.tenants: set[TenantId] = set()
        self.users: set[tuple[TenantId, UserId]] = set()

    async def open(self, tenant: TenantId) -> None:
        async with self.faults.call("open"):
            self.tenants.add(tenant)

    async def open_for(self, tenant: TenantId, user: UserId) -> None:
        async with self.faults.call("open_for"):
            self.require(tenant)
            self.users.add((tenant, user))

    async def close(self, subject: DataSubject) -> None:
        async with self.faults.call("close"):
            if subject.user is None:
                self.tenants.discard(subject.tenant)
                self.users -= {key for key in self.users if key[0] == subject.tenant}
            else:
                self.users.discard((subject.tenant, subject.user))

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[str]:
        async with self.faults.call("of_user"):
            is_open = (tenant, user) in self.users
            return ("tenants", "connections", "pending", "runs") if is_open else ()

    def require(self, tenant: TenantId, user: UserId | None = None) -> None:
        """Raises DeletionInProgressError where the gate is closed."""
        is_open = tenant in self.tenants if user is None else (tenant, user) in self.users
        if not is_open:
            raise DeletionInProgressError


class MemoryLeases:
    """Satisfies `ports.Leases`. The store's time is ours, unless a test sets it."""

    def __init__(self, gates: MemoryGates, clock: Clock) -> None:
        self.faults = Faults()
        self._gates, self._clock = gates, clock
        self.held: dict[tuple[TenantId, str], Lease] = {}
        self.store_time: datetime | None = None

    async def take(
        self, tenant: TenantId, name: str, *, holder: str, until: datetime
    ) -> Lease | None:
        async with self.faults.call("take"):
            found = self.held.get((tenant, name))
            if found is not None and found.until > self._clock():
                return found if found.holder == holder else None
            if tenant not in self._gates.tenants:
                return None
            lease = Lease(
                tenant=tenant,
                name=name,
                holder=holder,
                until=until,
                store_time=self.store_time or self._clock(),
                etag=f"{holder}|{until.isoformat()}",
            )
            self.held[tenant, name] = lease
            return lease

    async def release(self, lease: Lease) -> None:
        async with self.faults.call("release"):
            found = self.held.get((lease.tenant, lease.name))
            if found is not None and found.etag == lease.etag:
                del self.held[lease.tenant, lease.name]

    async def held_until(self, tenant: TenantId, name: str) -> datetime | None:
        async with self.faults.call("held_until"):
            found = self.held.get((tenant, name))
            return None if found is None else found.until
