"""What sweeps and deletions take away, over the stores in memory."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.model import DataSubject, Swept, TenantId, UserId
from tests.fakes.faults import Faults
from tests.fakes.gates import MemoryGates, MemoryLeases
from tests.fakes.runs import MemoryRunStore
from tests.fakes.stores import (
    MemoryConnectionStore,
    MemoryPendingStore,
    MemoryTenantKeyStore,
    MemoryTenantStore,
    MemoryUserStore,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTables:
    """The stores whose rows are meant."""

    gates: MemoryGates
    leases: MemoryLeases
    tenants: MemoryTenantStore
    tenant_keys: MemoryTenantKeyStore
    users: MemoryUserStore
    connections: MemoryConnectionStore
    pending: MemoryPendingStore
    runs: MemoryRunStore


class MemorySweeper:
    """Satisfies `ports.Sweeper`. A run whose id a test puts into `unreadable` tells no time."""

    def __init__(self, tables: MemoryTables) -> None:
        self.faults = Faults()
        self.unreadable: set[str] = set()
        self._tables = tables

    async def runs(self, tenant: TenantId, *, before: datetime) -> Swept:
        async with self.faults.call("runs"):
            rows = self._tables.runs.rows
            own = [(key, run) for key, run in rows.items() if key[0] == tenant]
            expired = [(key, run) for key, run in own if run.started_at <= before]
            gone = [key for key, run in expired if run.id not in self.unreadable]
            for key in gone:
                del rows[key]
            return Swept(deleted=len(gone), unreadable=len(expired) - len(gone))

    async def idempotency(self, tenant: TenantId, *, before: datetime) -> Swept:
        async with self.faults.call("idempotency"):
            keys = self._tables.runs.keys
            gone = [
                key
                for key, (_, _, _, created_at) in keys.items()
                if key[0] == tenant and created_at <= before
            ]
            for key in gone:
                del keys[key]
            return Swept(deleted=len(gone))

    async def settings_changes(self, tenant: TenantId, *, before: datetime) -> Swept:
        async with self.faults.call("settings_changes"):
            changes = self._tables.tenants.changes
            gone = [
                key
                for key, change in changes.items()
                if key[0] == tenant and change.changed_at <= before
            ]
            for key in gone:
                del changes[key]
            return Swept(deleted=len(gone))


class MemoryErasure:
    """Satisfies `ports.Erasure`."""

    def __init__(self, tables: MemoryTables) -> None:
        self.faults = Faults()
        self._tables = tables

    async def count(self, subject: DataSubject) -> Mapping[str, int]:
        async with self.faults.call("count"):
            return {
                name: sum(len(keys) for _, keys in found)
                for name, found in self._found(subject).items()
            }

    async def authored(self, subject: DataSubject) -> int:
        async with self.faults.call("authored"):
            return len(self._written_by(subject))

    async def delete(self, subject: DataSubject) -> None:
        async with self.faults.call("delete"):
            self._tables.gates.users -= set(_gates_of(self._tables.gates, subject))
            if subject.user is None:
                self._tables.gates.tenants.discard(subject.tenant)
            else:
                self._forget_author(subject)
            for name, found in self._found(subject).items():
                for rows, keys in found:
                    for key in keys if name != "tenantkeys" else ():
                        del rows[key]

    def _found(
        self, subject: DataSubject
    ) -> Mapping[str, list[tuple[MutableMapping[Any, Any], list[Any]]]]:
        """By table: the places where rows are held, and the keys of the subject's in each."""
        tables, whole = self._tables, subject.user is None
        user_gates = _gates_of(tables.gates, subject)
        tenant_gate = [subject.tenant] if whole and subject.tenant in tables.gates.tenants else []
        gate: Any = (dict.fromkeys(tenant_gate), tenant_gate)
        gates: Any = [gate, (dict.fromkeys(user_gates), user_gates)]

        def own(
            rows: MutableMapping[Any, Any], is_theirs: Callable[[Any, Any], bool]
        ) -> tuple[MutableMapping[Any, Any], list[Any]]:
            return rows, [key for key, row in rows.items() if is_theirs(key, row)]

        def of_tenant(key: Any, _: Any) -> bool:  # noqa: ANN401 - whatever a store's key is
            return whole and (key[0] if isinstance(key, tuple) else key) == subject.tenant

        def of_user(key: Any, row: Any) -> bool:  # noqa: ANN401 - whatever a store's row is
            return key[0] == subject.tenant and (whole or row.user == subject.user)

        return {
            "tenants": [
                own(tables.tenants.rows, of_tenant),
                own(tables.tenants.flow_names, of_tenant),
                own(tables.tenants.changes, of_tenant),
                own(tables.leases.held, of_tenant),
                *gates,
            ],
            "tenantkeys": [own(tables.tenant_keys.rows, of_tenant)],
            "users": [
                own(
                    tables.users.rows,
                    lambda key, row: key[0] == subject.tenant and (whole or row.id == subject.user),
                ),
                gate,
            ],
            "connections": [
                own(tables.connections.rows, of_user),
                own(tables.connections.outbox.rows, of_user),
                *gates,
            ],
            "pending": [own(tables.pending.rows, of_user), *gates],
            "runs": [
                own(tables.runs.rows, of_user),
                own(
                    tables.runs.keys,
                    lambda key, row: key[0] == subject.tenant and (whole or row[2] == subject.user),
                ),
                *gates,
            ],
        }

    def _forget_author(self, subject: DataSubject) -> None:
        changes = self._tables.tenants.changes
        for key in self._written_by(subject):
            changes[key] = replace(changes[key], changed_by="")

    def _written_by(self, subject: DataSubject) -> list[tuple[TenantId, str]]:
        """The changes of settings that name a user; a tenant's go as a whole."""
        return [
            key
            for key, change in self._tables.tenants.changes.items()
            if key[0] == subject.tenant and change.changed_by == (subject.user or None)
        ]


def _gates_of(gates: MemoryGates, subject: DataSubject) -> list[tuple[TenantId, UserId]]:
    return [
        key for key in gates.users if key[0] == subject.tenant and subject.user in (None, key[1])
    ]
