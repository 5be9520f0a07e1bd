"""What do you hold about me: every row about the caller, opened as far as it is the caller's own.

Tokens are never shown: a fingerprint says which one is kept, to whoever has it. Nor are the keyed
hashes by which a used idempotency key is known again.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import Json, SealBrokenError, StorageFailedError
from shared.model import (
    Caller,
    Connection,
    DataSubject,
    Deletion,
    DiscardedGrant,
    Grant,
    Pending,
    PendingKind,
    Place,
    Run,
    TenantId,
    UserId,
    flow_name_place,
    rfc3339,
    subject_hash,
)
from shared.model.schema import TABLES, Kind
from shared.ports import (
    Clock,
    ConnectionStore,
    DeletionStore,
    Gates,
    PendingStore,
    RevocationOutbox,
    RunStore,
    TenantStore,
    UserStore,
    Vault,
)
from shared.run_forms import run_members
from shared.secret import Secret
from shared.usecases.sealed_grants import SealedGrants

_RUNS_A_PAGE: Final = 999
"""The store reads one more, to know if there is a next page; the table service gives 1,000."""

_PENDING_KINDS: Final[Mapping[PendingKind, str]] = {
    PendingKind.TICKET: "ticket",
    PendingKind.STATE: "state",
    PendingKind.PARKED: "parked_grant",
}

type Members = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRows:
    """The rows of one kind about the caller, as members of JSON."""

    table: str
    kind: Kind
    rows: Sequence[Members]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """Everything that is held about the caller, and as of when."""

    as_of: datetime
    tenant: TenantId
    user: UserId
    held: tuple[HeldRows, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MyData:
    gates: Gates
    tenants: TenantStore
    users: UserStore
    connections: ConnectionStore
    outbox: RevocationOutbox
    pending: PendingStore
    runs: RunStore
    deletions: DeletionStore
    vault: Vault
    grants: SealedGrants
    clock: Clock

    async def __call__(self, caller: Caller) -> Mine:
        """All kinds of rows that can be about a user, also where there is none about the caller.

        Raises KeyVaultFailedError while the tenant's key is away: half an answer would pass for a
        whole one.
        """
        as_of = self.clock()
        held = {
            ("tenants", "tenant"): await self._tenant(caller),
            ("tenants", "settings_change"): await self._settings_changes(caller),
            ("users", "user"): await self._user(caller),
            ("connections", "connection"): await self._connections(caller),
            ("connections", "discarded_grant"): await self._discarded(caller),
            **await self._pending(caller),
            ("runs", "run"): await self._runs(caller, as_of),
            ("runs", "idempotency_key"): await self._keys_used(caller),
            ("deletions", "deletion"): await self._deletions(caller),
        }
        gates = await self.gates.of_user(caller.tenant, caller.user)
        for table in TABLES.values():
            is_there = table.name in gates
            held[table.name, "user_gate"] = [{"user_id": caller.user}] if is_there else []
        known = (
            HeldRows(table=table.name, kind=kind, rows=held[table.name, kind.name])
            for table in TABLES.values()
            for kind in table.kinds
            if (table.name, kind.name) in held
        )
        return Mine(as_of=as_of, tenant=caller.tenant, user=caller.user, held=tuple(known))

    async def _tenant(self, caller: Caller) -> Sequence[Members]:
        """What the caller's organisation is known by; its settings have a call of their own."""
        tenant = await self.tenants.load(caller.tenant)
        if tenant is None:
            return []
        place = Place(
            tenant=tenant.id, table="tenants", row_key="tenant", column="sealed_directory"
        )
        return [
            {
                "tenant_id": tenant.id,
                "provider": tenant.provider,
                "directory": (await self.vault.open(place, tenant.sealed_directory)).decode(),
                "region": tenant.region,
                "status": tenant.status.value,
                "created_at": rfc3339(tenant.created_at),
            }
        ]

    async def _settings_changes(self, caller: Caller) -> Sequence[Members]:
        changes = await self.tenants.settings_changes_by(caller.tenant, caller.user)
        return [
            {
                "changed_at": rfc3339(change.changed_at),
                "changed_by": change.changed_by,
                "changed": list(change.changed),
            }
            for change in changes
        ]

    async def _user(self, caller: Caller) -> Sequence[Members]:
        user = await self.users.load(caller.tenant, caller.user)
        if user is None:
            return []
        place = Place(tenant=user.tenant, table="users", row_key=user.id, column="sealed_identity")
        plain = (await self.vault.open(place, user.sealed_identity)).decode()
        provider, separator, subject = plain.partition("|")
        if not separator:
            raise StorageFailedError
        return [
            {
                "user_id": user.id,
                "provider": provider,
                "subject": subject,
                "created_at": rfc3339(user.created_at),
                "last_seen_day": user.last_seen_day,
                "epoch": user.epoch,
                "is_leaving": user.is_leaving,
            }
        ]

    async def _connections(self, caller: Caller) -> Sequence[Members]:
        rows = await self.connections.of_user(caller.tenant, caller.user)
        return [_connection(row, await self._grant(row)) for row in rows]

    async def _discarded(self, caller: Caller) -> Sequence[Members]:
        """Grants that wait to be revoked. Raises StorageFailedError for unreadable rows."""
        subject = DataSubject(tenant=caller.tenant, user=caller.user)
        found, unreadable = await self.outbox.of_subject(subject)
        if unreadable:
            raise StorageFailedError
        return [_discarded(row, await self._grant(row)) for row in found]

    async def _grant(self, row: Connection | DiscardedGrant) -> Grant | None:
        """None for one that is taken away, or does not open, which is an alarm; the other rows are
        shown."""
        if not row.sealed_grant:
            return None
        try:
            return await self.grants.open(row.place, row.sealed_grant)
        except SealBrokenError:
            return None

    async def _pending(self, caller: Caller) -> Mapping[tuple[str, str], Sequence[Members]]:
        """What waits for the caller. What is sealed is named by the schema, and not opened.

        Raises StorageFailedError for rows that cannot be read.
        """
        subject = DataSubject(tenant=caller.tenant, user=caller.user)
        found, unreadable = await self.pending.of_subject(subject)
        if unreadable:
            raise StorageFailedError
        return {
            ("pending", name): [_waiting(row) for row in found if row.kind is kind]
            for kind, name in _PENDING_KINDS.items()
        }

    async def _runs(self, caller: Caller, now: datetime) -> Sequence[Members]:
        names: dict[str, str | None] = {}
        found = [run async for run in self._all_runs(caller)]
        sealed = await self.tenants.sealed_flow_names(caller.tenant) if found else {}
        for flow_id in {run.flow_id for run in found} & sealed.keys():
            names[flow_id] = await self._flow_name(caller, flow_id, sealed[flow_id])
        return [run_members(run.as_of(now), names.get(run.flow_id)) for run in found]

    async def _all_runs(self, caller: Caller) -> AsyncIterator[Run]:
        after: str | None = None
        while True:
            page = await self.runs.page(caller.tenant, caller.user, after=after, limit=_RUNS_A_PAGE)
            for run in page.runs:
                yield run
            if page.next is None:
                return
            after = page.next

    async def _flow_name(self, caller: Caller, flow_id: str, sealed: bytes) -> str | None:
        try:
            return (await self.vault.open(flow_name_place(caller.tenant, flow_id), sealed)).decode()
        except SealBrokenError:
            return None

    async def _keys_used(self, caller: Caller) -> Sequence[Members]:
        used = await self.runs.keys_used(caller.tenant, caller.user)
        return [{"created_at": rfc3339(at)} for at in used]

    async def _deletions(self, caller: Caller) -> Sequence[Members]:
        """Those that the caller asked for, and those that are about the caller: of one that is
        done a hash says so, and whoever came back is the same user again."""
        hashed = subject_hash(caller.user)
        return [
            _deletion(row)
            for row in await self.deletions.of_tenant(caller.tenant)
            if row.requested_by == caller.user or row.subject_sha256 == hashed
        ]


def fingerprint(token: Secret) -> str:
    """Tells a token from others: the first 64 bits of its SHA-256, which nobody turns back into
    it."""
    return f"sha256:{hashlib.sha256(token.reveal().encode()).hexdigest()[:16]}"


def _connection(row: Connection, grant: Grant | None) -> Members:
    return {
        "org_id": row.org,
        "health": row.health.value,
        "connected_at": rfc3339(row.connected_at),
        "refreshed_at": rfc3339(row.refreshed_at),
        "last_used_day": row.last_used_day,
        "ended_at": None if row.ended_at is None else rfc3339(row.ended_at),
        "generation": row.generation,
        "is_being_refreshed": row.lease_holder is not None,
        "answer_lost": row.answer_lost,
        "grant": None if grant is None else _opened(grant),
    }


def _discarded(row: DiscardedGrant, grant: Grant | None) -> Members:
    return {
        "org_id": row.org,
        "discarded_at": rfc3339(row.discarded_at),
        "next_try_at": rfc3339(row.next_try_at),
        "attempts": row.attempts,
        "may_be_spent": row.may_be_spent,
        "grant": None if grant is None else _opened(grant),
    }


def _opened(grant: Grant) -> Members:
    return {
        "instance_host": grant.instance_host,
        "login_host": grant.login_host,
        "salesforce_user_id": grant.salesforce_user,
        "refresh_token": fingerprint(grant.refresh_token),
        "access_token": fingerprint(grant.access_token),
    }


def _waiting(row: Pending) -> Members:
    return {"user_id": row.user, "expires_at": rfc3339(row.expires_at), "sealed": "not opened"}


def _deletion(row: Deletion) -> Members:
    return {
        "id": row.id,
        "scope": row.scope.value,
        "state": row.state.value,
        "times": {state.value: rfc3339(at) for state, at in row.times.items()},
        "requested_by": row.requested_by or None,
        "subject_sha256": row.subject_sha256,
        "row_counts": dict(row.rows),
        "revocations": dict(row.revocations),
        "has_receipt": row.receipt is not None,
    }
