"""Serve a tenant no more, and again: for operators (`tools/suspend_tenant.py`)."""

from dataclasses import dataclass

from shared.errors import DeletionInProgressError, NotFoundError
from shared.model import TenantId, TenantStatus
from shared.ports import TenantStore
from shared.telemetry.events import event


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendTenant:
    """Done again, it changes nothing. Nothing is deleted: what is stored goes on being kept,
    backed up and cleaned up, and a deletion that was confirmed before is carried out."""

    tenants: TenantStore

    async def __call__(self, tenant: TenantId, status: TenantStatus) -> bool:
        """`DISABLED`: nobody signs in, and every session is over, on every instance within ten
        seconds. `ACTIVE`: everybody may sign in again. Whether that changed anything.

        Raises NotFoundError, DeletionInProgressError: a tombstone is never taken away.
        """
        if status is TenantStatus.DELETING:
            raise ValueError("a tenant is deleted by its own administrator")
        found = await self.tenants.change_status(tenant, status)
        if found is None:
            raise NotFoundError
        if found is TenantStatus.DELETING:
            raise DeletionInProgressError
        if found is status:
            return False
        event("tenant_status_changed", tenant=tenant, outcome=status.value)
        return True
