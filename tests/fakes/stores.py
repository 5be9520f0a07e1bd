"""The stores in memory, but for `runs`. Each operation is atomic: nothing awaits inside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from shared.model import (
    Connection,
    DataSubject,
    Deletion,
    DeletionState,
    DiscardedGrant,
    OrgId,
    Pending,
    PendingKind,
    SettingsChange,
    Tenant,
    TenantId,
    TenantStatus,
    User,
    UserId,
    WrappedKey,
)
from tests.fakes.faults import Faults
from tests.fakes.gates import MemoryGates

_etags = count(1)


def new_etag() -> str:
    """No two writes share one."""
    return f'W/"{next(_etags)}"'


class MemoryTenantStore:
    """Satisfies `ports.TenantStore`."""

    def __init__(self, gates: MemoryGates) -> None:
        self.faults = Faults()
        self._gates = gates
        self.rows: dict[TenantId, Tenant] = {}
        self.flow_names: dict[tuple[TenantId, str], bytes] = {}
        self.changes: dict[tuple[TenantId, str], SettingsChange] = {}

    async def load(self, tenant: TenantId) -> Tenant | None:
        async with self.faults.call("load"):
            return self.rows.get(tenant)

    async def ids(self) -> Sequence[TenantId]:
        async with self.faults.call("ids"):
            return list(self.rows)

    async def create(self, tenant: Tenant) -> bool:
        async with self.faults.call("create"):
            if tenant.id in self.rows:
                return False
            self.rows[tenant.id] = replace(tenant, etag=new_etag())
            return True

    async def change_settings(self, tenant: Tenant, change: SettingsChange) -> Tenant | None:
        async with self.faults.call("change_settings"):
            self._gates.require(tenant.id, UserId(change.changed_by))
            row = self.rows.get(tenant.id)
            if row is None or row.etag != tenant.etag:
                return None
            self.rows[tenant.id] = replace(row, settings=tenant.settings, etag=new_etag())
            self.changes[tenant.id, change.id] = change
            return self.rows[tenant.id]

    async def settings_changes(self, tenant: TenantId, *, limit: int) -> Sequence[SettingsChange]:
        async with self.faults.call("settings_changes"):
            own = [change for (owner, _), change in self.changes.items() if owner == tenant]
            return sorted(own, key=lambda change: change.changed_at, reverse=True)[:limit]

    async def settings_changes_by(self, tenant: TenantId, user: UserId) -> Sequence[SettingsChange]:
        async with self.faults.call("settings_changes_by"):
            changes = self.changes.items()
            own = [one for (owner, _), one in changes if (owner, one.changed_by) == (tenant, user)]
            return sorted(own, key=lambda change: change.changed_at, reverse=True)

    async def begin_deletion(self, tenant: TenantId) -> None:
        async with self.faults.call("begin_deletion"):
            if tenant in self.rows:
                epoch = self.rows[tenant].epoch + 1
                self.change(tenant, status=TenantStatus.DELETING, epoch=epoch)

    async def change_status(self, tenant: TenantId, status: TenantStatus) -> TenantStatus | None:
        async with self.faults.call("change_status"):
            if tenant not in self.rows:
                return None
            before = self.rows[tenant].status
            if before not in (status, TenantStatus.DELETING):
                self.change(tenant, status=status, epoch=self.rows[tenant].epoch + 1)
            return before

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        async with self.faults.call("remember_flow_name"):
            self._gates.require(tenant)
            self.flow_names.setdefault((tenant, flow_id), sealed)

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]:
        async with self.faults.call("sealed_flow_names"):
            return {
                flow: name for (owner, flow), name in self.flow_names.items() if owner == tenant
            }

    def change(self, tenant: TenantId, **changes: Any) -> None:  # noqa: ANN401 - any field's type
        """As an operator would: `change(tenant, status=TenantStatus.DISABLED)`."""
        self.rows[tenant] = replace(self.rows[tenant], **changes, etag=new_etag())


class MemoryTenantKeyStore:
    """Satisfies `ports.TenantKeyStore`. The floors are in the rows of the tenants, if there are."""

    def __init__(self, tenants: MemoryTenantStore | None = None) -> None:
        self.faults = Faults()
        self._tenants = tenants
        self.rows: dict[tuple[TenantId, int], WrappedKey] = {}

    async def all(self, tenant: TenantId) -> Sequence[WrappedKey]:
        async with self.faults.call("all"):
            own = [key for (owner, _), key in self.rows.items() if owner == tenant]
            return sorted(own, key=lambda key: key.version)

    async def create(self, key: WrappedKey) -> bool:
        async with self.faults.call("create"):
            return self.rows.setdefault((key.tenant, key.version), key) is key

    async def rewrap(self, key: WrappedKey) -> bool:
        async with self.faults.call("rewrap"):
            found = self.rows.get((key.tenant, key.version))
            if found is None:
                return False
            changed = replace(found, wrapped=key.wrapped, kek_id=key.kek_id)
            self.rows[key.tenant, key.version] = changed
            return True

    async def retire(self, tenant: TenantId, version: int, *, at: datetime) -> None:
        async with self.faults.call("retire"):
            if (tenant, version) in self.rows:
                self.rows[tenant, version] = replace(self.rows[tenant, version], retired_at=at)

    async def destroy_version(self, tenant: TenantId, version: int) -> None:
        async with self.faults.call("destroy_version"):
            self.rows.pop((tenant, version), None)

    async def floor(self, tenant: TenantId) -> int:
        async with self.faults.call("floor"):
            found = None if self._tenants is None else self._tenants.rows.get(tenant)
            return 0 if found is None else found.floor_key_version

    async def raise_floor(self, tenant: TenantId, version: int) -> None:
        async with self.faults.call("raise_floor"):
            rows = {} if self._tenants is None else self._tenants.rows
            if tenant in rows and rows[tenant].floor_key_version < version:
                rows[tenant] = replace(rows[tenant], floor_key_version=version, etag=new_etag())

    async def destroy(self, tenant: TenantId) -> None:
        async with self.faults.call("destroy"):
            for key in [key for key in self.rows if key[0] == tenant]:
                del self.rows[key]


class MemoryUserStore:
    """Satisfies `ports.UserStore`."""

    def __init__(self, gates: MemoryGates) -> None:
        self.faults = Faults()
        self._gates = gates
        self.rows: dict[tuple[TenantId, UserId], User] = {}

    async def load(self, tenant: TenantId, user: UserId) -> User | None:
        async with self.faults.call("load"):
            return self.rows.get((tenant, user))

    async def create(self, user: User) -> bool:
        async with self.faults.call("create"):
            self._gates.require(user.tenant)
            if (user.tenant, user.id) in self.rows:
                return False
            self.rows[user.tenant, user.id] = replace(user, etag=new_etag())
            return True

    async def saw(self, tenant: TenantId, user: UserId, day: str) -> None:
        async with self.faults.call("saw"):
            self._change(tenant, user, last_seen_day=day)

    async def end_sessions(self, tenant: TenantId, user: UserId) -> None:
        async with self.faults.call("end_sessions"):
            if (tenant, user) in self.rows:
                self._change(tenant, user, epoch=self.rows[tenant, user].epoch + 1)

    async def begin_deletion(self, tenant: TenantId, user: UserId) -> None:
        async with self.faults.call("begin_deletion"):
            if (tenant, user) in self.rows:
                epoch = self.rows[tenant, user].epoch + 1
                self._change(tenant, user, epoch=epoch, is_leaving=True)

    def _change(self, tenant: TenantId, user: UserId, **changes: Any) -> None:  # noqa: ANN401
        if (tenant, user) in self.rows:
            row = self.rows[tenant, user]
            self.rows[tenant, user] = replace(row, **changes, etag=new_etag())


class MemoryRevocationOutbox:
    """Satisfies `ports.RevocationOutbox`. A row whose key a test puts into `unreadable` cannot be
    read."""

    def __init__(self, gates: MemoryGates) -> None:
        self.faults = Faults()
        self._gates = gates
        self.rows: dict[tuple[TenantId, str], DiscardedGrant] = {}
        self.unreadable: set[str] = set()

    async def put(self, discarded: DiscardedGrant) -> None:
        async with self.faults.call("put"):
            self._gates.require(discarded.tenant, discarded.user)
            self.keep(discarded)

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[DiscardedGrant], int]:
        async with self.faults.call("of_subject"):
            own = [
                row
                for row in self.rows.values()
                if row.tenant == subject.tenant and subject.user in (None, row.user)
            ]
            found = [row for row in own if row.row_key not in self.unreadable]
            return sorted(found, key=lambda row: row.row_key), len(own) - len(found)

    async def replace(self, discarded: DiscardedGrant) -> None:
        async with self.faults.call("replace"):
            row = self.rows.get((discarded.tenant, discarded.row_key))
            if row is not None and row.etag == discarded.etag:
                self.keep(discarded)

    async def delete(self, discarded: DiscardedGrant) -> None:
        async with self.faults.call("delete"):
            self.rows.pop((discarded.tenant, discarded.row_key), None)

    def keep(self, discarded: DiscardedGrant) -> None:
        """Write the row; for the store of the connections, within its own transactions."""
        row = replace(discarded, etag=new_etag())
        self.rows[discarded.tenant, discarded.row_key] = row


class MemoryConnectionStore:
    """Satisfies `ports.ConnectionStore`. A row whose key a test puts into `unreadable` cannot be
    read where all rows of a subject are."""

    def __init__(self, gates: MemoryGates, outbox: MemoryRevocationOutbox) -> None:
        self.faults = Faults()
        self._gates = gates
        self.outbox = outbox
        self.rows: dict[tuple[TenantId, str], Connection] = {}
        self.unreadable: set[str] = set()

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None:
        async with self.faults.call("load"):
            return self.rows.get((tenant, f"{user}|{org.lower()}"))

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]:
        async with self.faults.call("of_user"):
            return self._of(DataSubject(tenant=tenant, user=user))

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Connection], int]:
        async with self.faults.call("of_subject"):
            own = self._of(subject)
            found = [row for row in own if row.row_key not in self.unreadable]
            return found, len(own) - len(found)

    async def ended(self, tenant: TenantId, *, before: datetime) -> Sequence[Connection]:
        async with self.faults.call("ended"):
            own = self._of(DataSubject(tenant=tenant))
            return [row for row in own if row.ended_at is not None and row.ended_at <= before]

    async def idle(self, tenant: TenantId, *, since: datetime) -> Sequence[Connection]:
        async with self.faults.call("idle"):
            own = self._of(DataSubject(tenant=tenant))
            return [row for row in own if row.refreshed_at <= since]

    async def create(self, connection: Connection) -> bool:
        async with self.faults.call("create"):
            self._gates.require(connection.tenant, connection.user)
            key = (connection.tenant, connection.row_key)
            if key in self.rows:
                return False
            self.rows[key] = replace(connection, etag=new_etag())
            return True

    async def renew(
        self, connection: Connection, discarded: DiscardedGrant | None
    ) -> Connection | None:
        async with self.faults.call("renew"):
            self._gates.require(connection.tenant, connection.user)
            written = self._written(connection)
            if written is not None and discarded is not None:
                self.outbox.keep(discarded)
            return written

    async def replace(self, connection: Connection) -> Connection | None:
        async with self.faults.call("replace"):
            return self._written(connection)

    def _written(self, connection: Connection) -> Connection | None:
        if not self._is_as_read(connection):
            return None
        written = replace(connection, etag=new_etag())
        self.rows[connection.tenant, connection.row_key] = written
        return written

    def _of(self, subject: DataSubject) -> list[Connection]:
        own = [
            row
            for row in self.rows.values()
            if row.tenant == subject.tenant and subject.user in (None, row.user)
        ]
        return sorted(own, key=lambda row: row.row_key)

    async def disconnect(self, connection: Connection, discarded: DiscardedGrant) -> bool:
        async with self.faults.call("disconnect"):
            self._gates.require(connection.tenant, connection.user)
            if not self._is_as_read(connection):
                return False
            del self.rows[connection.tenant, connection.row_key]
            self.outbox.keep(discarded)
            return True

    async def delete(self, connection: Connection) -> bool:
        async with self.faults.call("delete"):
            if not self._is_as_read(connection):
                return False
            del self.rows[connection.tenant, connection.row_key]
            return True

    def _is_as_read(self, connection: Connection) -> bool:
        if connection.etag is None:
            raise ValueError("only what was read can be replaced or deleted")
        row = self.rows.get((connection.tenant, connection.row_key))
        return row is not None and row.etag == connection.etag


class MemoryPendingStore:
    """Satisfies `ports.PendingStore`. A row whose digest a test puts into `unreadable` cannot be
    read where all rows of a subject are."""

    def __init__(self, gates: MemoryGates) -> None:
        self.faults = Faults()
        self._gates = gates
        self.rows: dict[tuple[TenantId, PendingKind, str], Pending] = {}
        self.unreadable: set[str] = set()

    async def put(self, pending: Pending) -> None:
        async with self.faults.call("put"):
            self._gates.require(pending.tenant, pending.user)
            self.rows.setdefault((pending.tenant, pending.kind, pending.digest), pending)

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        async with self.faults.call("take"):
            return self.rows.pop((tenant, kind, digest), None)

    async def claim(self, tenant: TenantId, digest: str, *, at: datetime) -> Pending | None:
        async with self.faults.call("claim"):
            key = (tenant, PendingKind.PARKED, digest)
            row = self.rows.get(key)
            if row is None or row.claimed_at is not None:
                return None
            self.rows[key] = replace(row, claimed_at=at)
            return self.rows[key]

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Pending], int]:
        async with self.faults.call("of_subject"):
            own = [
                row
                for row in self.rows.values()
                if row.tenant == subject.tenant and subject.user in (None, row.user)
            ]
            found = [row for row in own if row.digest not in self.unreadable]
            return sorted(found, key=lambda row: row.place.row_key), len(own) - len(found)

    async def delete(self, pending: Pending) -> None:
        async with self.faults.call("delete"):
            self.rows.pop((pending.tenant, pending.kind, pending.digest), None)


class MemoryDeletionStore:
    """Satisfies `ports.DeletionStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[TenantId, str], Deletion] = {}

    async def create(self, deletion: Deletion) -> bool:
        async with self.faults.call("create"):
            if (deletion.tenant, deletion.id) in self.rows:
                return False
            self.rows[deletion.tenant, deletion.id] = replace(deletion, etag=new_etag())
            return True

    async def load(self, tenant: TenantId, deletion_id: str) -> Deletion | None:
        async with self.faults.call("load"):
            return self.rows.get((tenant, deletion_id))

    async def of_tenant(self, tenant: TenantId) -> Sequence[Deletion]:
        async with self.faults.call("of_tenant"):
            return [row for (owner, _), row in sorted(self.rows.items()) if owner == tenant]

    async def open_ones(self) -> Sequence[Deletion]:
        async with self.faults.call("open_ones"):
            done = DeletionState.RECEIPTED
            return [row for _, row in sorted(self.rows.items()) if row.state is not done]

    async def replace(self, deletion: Deletion) -> Deletion | None:
        async with self.faults.call("replace"):
            if not self._is_as_read(deletion):
                return None
            written = replace(deletion, etag=new_etag())
            self.rows[deletion.tenant, deletion.id] = written
            return written

    async def delete(self, deletion: Deletion) -> bool:
        async with self.faults.call("delete"):
            if not self._is_as_read(deletion):
                return False
            del self.rows[deletion.tenant, deletion.id]
            return True

    async def receipted(self, *, before: datetime) -> Sequence[Deletion]:
        async with self.faults.call("receipted"):
            done = DeletionState.RECEIPTED
            return [
                row
                for _, row in sorted(self.rows.items())
                if done in row.times and row.at(done) <= before
            ]

    def _is_as_read(self, deletion: Deletion) -> bool:
        row = self.rows.get((deletion.tenant, deletion.id))
        return row is not None and row.etag == deletion.etag
