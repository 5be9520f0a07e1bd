"""The stores in memory, but for `runs`. Each operation is atomic: nothing awaits inside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from shared.model import (
    Connection,
    OrgId,
    Pending,
    PendingKind,
    Tenant,
    TenantId,
    User,
    UserId,
    WrappedKey,
)
from tests.fakes.faults import Faults

_etags = count(1)


def new_etag() -> str:
    """No two writes share one."""
    return f'W/"{next(_etags)}"'


class MemoryTenantStore:
    """Satisfies `ports.TenantStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[TenantId, Tenant] = {}
        self.flow_names: dict[tuple[TenantId, str], bytes] = {}

    async def load(self, tenant: TenantId) -> Tenant | None:
        async with self.faults.call("load"):
            return self.rows.get(tenant)

    async def create(self, tenant: Tenant) -> bool:
        async with self.faults.call("create"):
            if tenant.id in self.rows:
                return False
            self.rows[tenant.id] = replace(tenant, etag=new_etag())
            return True

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        async with self.faults.call("remember_flow_name"):
            self.flow_names.setdefault((tenant, flow_id), sealed)

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]:
        async with self.faults.call("sealed_flow_names"):
            return {
                flow: name for (owner, flow), name in self.flow_names.items() if owner == tenant
            }

    def change(self, tenant: TenantId, **changes: Any) -> None:  # noqa: ANN401 - any field's type
        """As an operator would: `change(tenant, is_active=False)`."""
        self.rows[tenant] = replace(self.rows[tenant], **changes, etag=new_etag())


class MemoryTenantKeyStore:
    """Satisfies `ports.TenantKeyStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[TenantId, int], WrappedKey] = {}

    async def load(self, tenant: TenantId, version: int) -> WrappedKey | None:
        async with self.faults.call("load"):
            return self.rows.get((tenant, version))

    async def newest(self, tenant: TenantId) -> WrappedKey | None:
        async with self.faults.call("newest"):
            own = [key for (owner, _), key in self.rows.items() if owner == tenant]
            return max(own, key=lambda key: key.version, default=None)

    async def create(self, key: WrappedKey) -> bool:
        async with self.faults.call("create"):
            return self.rows.setdefault((key.tenant, key.version), key) is key


class MemoryUserStore:
    """Satisfies `ports.UserStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[TenantId, UserId], User] = {}

    async def load(self, tenant: TenantId, user: UserId) -> User | None:
        async with self.faults.call("load"):
            return self.rows.get((tenant, user))

    async def create(self, user: User) -> bool:
        async with self.faults.call("create"):
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

    def _change(self, tenant: TenantId, user: UserId, **changes: Any) -> None:  # noqa: ANN401
        if (tenant, user) in self.rows:
            row = self.rows[tenant, user]
            self.rows[tenant, user] = replace(row, **changes, etag=new_etag())


class MemoryConnectionStore:
    """Satisfies `ports.ConnectionStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[TenantId, str], Connection] = {}

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None:
        async with self.faults.call("load"):
            return self.rows.get((tenant, f"{user}|{org.lower()}"))

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]:
        async with self.faults.call("of_user"):
            own = (row for row in self.rows.values() if (row.tenant, row.user) == (tenant, user))
            return sorted(own, key=lambda row: row.row_key)

    async def create(self, connection: Connection) -> bool:
        async with self.faults.call("create"):
            key = (connection.tenant, connection.row_key)
            if key in self.rows:
                return False
            self.rows[key] = replace(connection, etag=new_etag())
            return True

    async def replace(self, connection: Connection) -> Connection | None:
        async with self.faults.call("replace"):
            if not self._is_as_read(connection):
                return None
            written = replace(connection, etag=new_etag())
            self.rows[connection.tenant, connection.row_key] = written
            return written

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
    """Satisfies `ports.PendingStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[TenantId, PendingKind, str], Pending] = {}

    async def put(self, pending: Pending) -> None:
        async with self.faults.call("put"):
            self.rows.setdefault((pending.tenant, pending.kind, pending.digest), pending)

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        async with self.faults.call("take"):
            return self.rows.pop((tenant, kind, digest), None)
