"""Fence a user or a tenant off: sessions die, nobody is let in, nothing is written any more."""

from dataclasses import dataclass

from shared.model import Deletion
from shared.ports import Gates, TenantStore, UserStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Idempotent: done again, it does the same."""

    tenants: TenantStore
    users: UserStore
    gates: Gates

    async def __call__(self, deletion: Deletion) -> None:
        """The tombstone first, which ends sessions; then the gates, after which no insert that is
        still under way can succeed."""
        if deletion.user is None:
            await self.tenants.begin_deletion(deletion.tenant)
        else:
            await self.users.begin_deletion(deletion.tenant, deletion.user)
        await self.gates.close(deletion.subject)
