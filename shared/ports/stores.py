"""The tables that requests read and write."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Connection,
    DataSubject,
    Idempotency,
    OrgId,
    Pending,
    PendingKind,
    Period,
    Run,
    RunFilter,
    RunPage,
    SettingsChange,
    Tenant,
    TenantId,
    TenantStatus,
    User,
    UserId,
    WrappedKey,
)


class TenantStore(Protocol):
    """The table `tenants`. Inserts go through the tenant's gate, but for the tenant's own row."""

    async def load(self, tenant: TenantId) -> Tenant | None: ...

    async def ids(self) -> Sequence[TenantId]:
        """Every tenant that has a row, whatever its status."""
        ...

    async def create(self, tenant: Tenant) -> bool:
        """Whether the row was created; False if there is one already."""
        ...

    async def change_settings(self, tenant: Tenant, change: SettingsChange) -> Tenant | None:
        """Write the settings of a row that still is as read, and the change, in one transaction.

        The row as it now is; None if it is not as read any more, or gone: nothing was written.
        """
        ...

    async def settings_changes(self, tenant: TenantId, *, limit: int) -> Sequence[SettingsChange]:
        """The newest changes, newest first."""
        ...

    async def settings_changes_by(self, tenant: TenantId, user: UserId) -> Sequence[SettingsChange]:
        """All changes that this user made, newest first."""
        ...

    async def begin_deletion(self, tenant: TenantId) -> None:
        """Set the tombstone and end every session. A tenant that is gone is no error."""
        ...

    async def change_status(self, tenant: TenantId, status: TenantStatus) -> TenantStatus | None:
        """Serve it, or not, and end every session. The status before; None if there is no row.

        One that has this status is left as it is, and so is one that is being deleted.
        """
        ...

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        """Keep the sealed readable name of a Flow beside the tenant; the first one stays."""
        ...

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]: ...


class TenantKeyStore(Protocol):
    """The table `tenantkeys`: wrapped data keys, by version."""

    async def all(self, tenant: TenantId) -> Sequence[WrappedKey]:
        """Every version, oldest first."""
        ...

    async def create(self, key: WrappedKey) -> bool:
        """Whether the row was created; False if that version exists already."""
        ...

    async def rewrap(self, key: WrappedKey) -> bool:
        """Write the same data key, wrapped anew; False if the version is gone."""
        ...

    async def destroy(self, tenant: TenantId) -> None:
        """Delete every version: what they sealed never opens again."""
        ...


class UserStore(Protocol):
    """The table `users`."""

    async def load(self, tenant: TenantId, user: UserId) -> User | None: ...

    async def create(self, user: User) -> bool: ...

    async def saw(self, tenant: TenantId, user: UserId, day: str) -> None:
        """Remember the day of the last sign-in."""
        ...

    async def end_sessions(self, tenant: TenantId, user: UserId) -> None:
        """Move the user's epoch on: every session issued before is over."""
        ...

    async def begin_deletion(self, tenant: TenantId, user: UserId) -> None:
        """Set the tombstone and end every session. A user who is gone is no error."""
        ...


class ConnectionStore(Protocol):
    """The table `connections`."""

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None: ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]: ...

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Connection], int]:
        """The connections of a user, or of a whole tenant; and how many rows cannot be read."""
        ...

    async def ended(self, tenant: TenantId, *, before: datetime) -> Sequence[Connection]:
        """Those whose grant ended at this time or earlier."""
        ...

    async def create(self, connection: Connection) -> bool:
        """Through the user's gate."""
        ...

    async def renew(self, connection: Connection) -> Connection | None:
        """As `replace`, for a new consent: through the user's gate."""
        ...

    async def replace(self, connection: Connection) -> Connection | None:
        """Write the row if it still is as read (`connection.etag`), and answer it as it now is.

        None if it is not as read any more, or gone: nothing was written.
        """
        ...

    async def delete(self, connection: Connection) -> bool:
        """Delete the row if it still is as read; False if it is not, or gone."""
        ...


class PendingStore(Protocol):
    """The table `pending`: hashed one-time codes and what is sealed for whoever brings one."""

    async def put(self, pending: Pending) -> None:
        """Through the user's gate."""
        ...

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Pending], int]:
        """What waits for a user, or in a whole tenant; and how many rows cannot be read."""
        ...

    async def delete(self, pending: Pending) -> None: ...

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        """Read and delete in one atomic step: of many callers, exactly one gets it.

        What has expired is deleted all the same, and handed out: the caller compares the time,
        because what is parked must then be revoked.
        """
        ...


class RunStore(Protocol):
    """The table `runs`."""

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        """Write the run before its call leaves; with a key, both rows in one transaction. Through
        the user's gate.

        None if it was written. The earlier run if the key was used before, for the same request;
        raises IdempotencyKeyReusedError if for another.
        """
        ...

    async def finish(self, run: Run) -> None:
        """Add how the run ended."""
        ...

    async def page(
        self,
        tenant: TenantId,
        user: UserId | None,
        *,
        after: str | None,
        limit: int,
        period: Period = ALL_TIME,
        where: RunFilter = EVERY_RUN,
    ) -> RunPage:
        """Runs of one user, or (None) of the whole tenant, that started in the period, newest
        first. `after` continues a page from where it ended, whatever the filter.

        A page is short where few of many runs are wanted: looking for more ends after a while.
        Raises InvalidRequestError if `after` is none of ours, or of another tenant.
        """
        ...

    async def keys_used(self, tenant: TenantId, user: UserId) -> Sequence[datetime]:
        """When the user's idempotency keys that are still kept were used, newest first."""
        ...
