"""What keeps the tables as promised: gates, leases, sweeps, deletions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.model import DataSubject, Deletion, Lease, Swept, TenantId, UserId


class Gates(Protocol):
    """What an insert must find open, in the same transaction, in the same partition.

    A tombstone elsewhere would not do: whoever read it before it was set could still write after
    everything was deleted. Stores that insert through a gate raise DeletionInProgressError where
    it is closed.
    """

    async def open(self, tenant: TenantId) -> None:
        """Let rows of this tenant be inserted. What is open stays open."""
        ...

    async def open_for(self, tenant: TenantId, user: UserId) -> None:
        """Let rows of this user be inserted. Raises DeletionInProgressError where the tenant's
        gates are closed."""
        ...

    async def close(self, subject: DataSubject) -> None:
        """From now on nothing of this subject is inserted into any table; what was inserted
        before is there to be found. A tenant's gates take its users' with them."""
        ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[str]:
        """The tables that hold a gate of this user."""
        ...


class Leases(Protocol):
    """Who does a tenant's housekeeping at the moment. A dead holder's lease lapses."""

    async def take(
        self, tenant: TenantId, name: str, *, holder: str, until: datetime
    ) -> Lease | None:
        """The lease; None while somebody else holds it, or where the tenant is gone."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back, if it is still ours."""
        ...

    async def held_until(self, tenant: TenantId, name: str) -> datetime | None:
        """Until when somebody holds it, or held it; None if nobody ever did, or gave it back."""
        ...


class Sweeper(Protocol):
    """Deletes rows that have outlived their time, by key range and in transactions.

    Rows whose time cannot be read, or does not agree with their key, are kept and counted.
    """

    async def runs(self, tenant: TenantId, *, before: datetime) -> Swept:
        """Runs that started at this time or earlier."""
        ...

    async def idempotency(self, tenant: TenantId, *, before: datetime) -> Swept:
        """Idempotency rows of this age or older."""
        ...

    async def settings_changes(self, tenant: TenantId, *, before: datetime) -> Swept:
        """Changes of settings of this age or older."""
        ...


class DeletionStore(Protocol):
    """The table `deletions`."""

    async def create(self, deletion: Deletion) -> bool: ...

    async def load(self, tenant: TenantId, deletion_id: str) -> Deletion | None: ...

    async def of_tenant(self, tenant: TenantId) -> Sequence[Deletion]: ...

    async def open_ones(self) -> Sequence[Deletion]:
        """Those of all tenants that have no receipt yet, confirmed or not."""
        ...

    async def replace(self, deletion: Deletion) -> Deletion | None:
        """Write the row if it still is as read, and answer it as it now is; None if it is not."""
        ...

    async def delete(self, deletion: Deletion) -> bool:
        """Delete the row if it still is as read; False if it is not, or gone."""
        ...

    async def receipted(self, *, before: datetime) -> Sequence[Deletion]:
        """Those of all tenants that were receipted at this time or earlier."""
        ...


class Erasure(Protocol):
    """All tables at once, but for `deletions`: what a deletion finds and takes away."""

    async def count(self, subject: DataSubject) -> Mapping[str, int]:
        """How many rows each table holds of the subject, by a full listing. Tables that hold none
        are named as well."""
        ...

    async def authored(self, subject: DataSubject) -> int:
        """How many changes of settings name the user: they stay, without their author."""
        ...

    async def delete(self, subject: DataSubject) -> None:
        """Delete all of them, but for the wrapped data keys, which come last (`destroy`)."""
        ...
