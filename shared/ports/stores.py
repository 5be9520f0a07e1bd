"""The tables that requests read and write."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Connection,
    DataSubject,
    DiscardedGrant,
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
    """The table `tenantkeys`: wrapped data keys, by version. And the floor, in the tenant's row."""

    async def all(self, tenant: TenantId) -> Sequence[WrappedKey]:
        """Every version, oldest first."""
        ...

    async def create(self, key: WrappedKey) -> bool:
        """Whether the row was created; False if that version exists already."""
        ...

    async def rewrap(self, key: WrappedKey) -> bool:
        """Write the same data key, wrapped anew; False if the version is gone."""
        ...

    async def retire(self, tenant: TenantId, version: int, *, at: datetime) -> None:
        """Note that nothing is sealed by it any more; one that is gone stays gone."""
        ...

    async def destroy_version(self, tenant: TenantId, version: int) -> None:
        """Delete this version; one that is gone is no error."""
        ...

    async def floor(self, tenant: TenantId) -> int:
        """The oldest version that may still open what is stored; 0 where the tenant has no row."""
        ...

    async def raise_floor(self, tenant: TenantId, version: int) -> None:
        """From now on that, unless it is higher already: it never falls. No row, no floor."""
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
    """The connections in the table `connections`.

    What discards a grant puts it into the outbox (`ports.RevocationOutbox`) in the same
    transaction: no kill leaves a living grant that nobody remembers.
    """

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None: ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]: ...

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Connection], int]:
        """The connections of a user, or of a whole tenant; and how many rows cannot be read."""
        ...

    async def ended(self, tenant: TenantId, *, before: datetime) -> Sequence[Connection]:
        """Those whose grant ended at this time or earlier."""
        ...

    async def idle(self, tenant: TenantId, *, since: datetime) -> Sequence[Connection]:
        """Those whose refresh token was last refreshed at this time or earlier."""
        ...

    async def create(self, connection: Connection) -> bool:
        """Through the user's gate."""
        ...

    async def renew(
        self, connection: Connection, discarded: DiscardedGrant | None
    ) -> Connection | None:
        """As `replace`, with another grant or none: through the user's gate, and the one that was
        there goes to the outbox."""
        ...

    async def replace(self, connection: Connection) -> Connection | None:
        """Write the row if it still is as read (`connection.etag`), and answer it as it now is.

        None if it is not as read any more, or gone: nothing was written.
        """
        ...

    async def disconnect(self, connection: Connection, discarded: DiscardedGrant) -> bool:
        """As `delete`, and the grant goes to the outbox. Through the user's gate."""
        ...

    async def delete(self, connection: Connection) -> bool:
        """Delete the row if it still is as read; False if it is not, or gone."""
        ...


class RevocationOutbox(Protocol):
    """The discarded grants in the table `connections`, each until it is revoked."""

    async def put(self, discarded: DiscardedGrant) -> None:
        """Through the user's gate."""
        ...

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[DiscardedGrant], int]:
        """Those of a user, or of a whole tenant; and how many rows cannot be read."""
        ...

    async def replace(self, discarded: DiscardedGrant) -> None:
        """Write the row if it still is as read; one that is gone stays gone."""
        ...

    async def delete(self, discarded: DiscardedGrant) -> None:
        """One that is gone is no error."""
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

        What has expired is deleted all the same, and handed out: the caller compares the time.
        """
        ...

    async def claim(self, tenant: TenantId, digest: str, *, at: datetime) -> Pending | None:
        """Mark a parked grant as claimed, and read it, in one atomic step: of many callers, exactly
        one gets it, whether it has expired or not.

        The row stays: until whoever claimed it is done, a living grant is remembered nowhere else.
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
