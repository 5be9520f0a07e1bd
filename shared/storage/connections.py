"""The table `connections`: one sealed Salesforce grant for each user and org.

Beside the connections lies the outbox (`shared.storage.outbox`): one partition of one table, so
that a grant is discarded and put there in one transaction.
"""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from shared.errors import StorageFailedError
from shared.model import (
    Connection,
    DataSubject,
    DiscardedGrant,
    Health,
    OrgId,
    TenantId,
    UserId,
    connection_row_key,
)
from shared.storage.gates import delete_through, insert_through, renew_through, user_gate
from shared.storage.outbox import entry
from shared.storage.tables import (
    Entity,
    Tables,
    delete_as_read,
    etag_of,
    get,
    replace_as_read,
    row_is_readable,
    rows_between,
    utc,
)
from shared.telemetry.events import event


class TableConnectionStore:
    """Satisfies `ports.ConnectionStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None:
        entity = await get(self._tables["connections"], tenant, connection_row_key(user, org))
        return None if entity is None else _connection(tenant, entity)

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]:
        rows = rows_between(self._tables["connections"], tenant, *bounds(user))
        return [_connection(tenant, row) async for row in rows]

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Connection], int]:
        low, high = ("u-", "u.") if subject.user is None else bounds(subject.user)
        rows = rows_between(self._tables["connections"], subject.tenant, low, high)
        return await _readable(subject.tenant, rows)

    async def ended(self, tenant: TenantId, *, before: datetime) -> Sequence[Connection]:
        rows = rows_between(
            self._tables["connections"], tenant, "u-", "u.", no_later_than=("ended_at", before)
        )
        return await _told_if_unreadable(tenant, rows)

    async def idle(self, tenant: TenantId, *, since: datetime) -> Sequence[Connection]:
        rows = rows_between(
            self._tables["connections"], tenant, "u-", "u.", no_later_than=("refreshed_at", since)
        )
        return await _told_if_unreadable(tenant, rows)

    async def create(self, connection: Connection) -> bool:
        gate = user_gate(connection.user)
        return await insert_through(self._tables["connections"], gate, _entity(connection))

    async def renew(
        self, connection: Connection, discarded: DiscardedGrant | None
    ) -> Connection | None:
        etag = await renew_through(
            self._tables["connections"],
            user_gate(connection.user),
            _entity(connection),
            connection.etag,
            also=() if discarded is None else (entry(discarded),),
        )
        return None if etag is None else dataclasses.replace(connection, etag=etag)

    async def replace(self, connection: Connection) -> Connection | None:
        table = self._tables["connections"]
        etag = await replace_as_read(table, _entity(connection), connection.etag)
        return None if etag is None else dataclasses.replace(connection, etag=etag)

    async def disconnect(self, connection: Connection, discarded: DiscardedGrant) -> bool:
        return await delete_through(
            self._tables["connections"],
            user_gate(connection.user),
            _entity(connection),
            connection.etag,
            also=(entry(discarded),),
        )

    async def delete(self, connection: Connection) -> bool:
        return await delete_as_read(
            self._tables["connections"], _entity(connection), connection.etag or ""
        )


async def _readable(
    tenant: TenantId, rows: AsyncIterator[Entity]
) -> tuple[Sequence[Connection], int]:
    """The rows that can be read, and how many cannot: those must not hold up the others."""
    found: list[Connection] = []
    unreadable = 0
    async for row in rows:
        try:
            found.append(_connection(tenant, row))
        except StorageFailedError:
            unreadable += 1
    return found, unreadable


async def _told_if_unreadable(
    tenant: TenantId, rows: AsyncIterator[Entity]
) -> Sequence[Connection]:
    found, unreadable = await _readable(tenant, rows)
    if unreadable:
        event("row_unreadable", tenant=tenant, count=unreadable, step="connections")
    return found


def bounds(user: UserId) -> tuple[str, str]:
    """Between which row keys the connections of a user are."""
    return f"{user}|", f"{user}}}"


def _entity(connection: Connection) -> Entity:
    entity: dict[str, object] = {
        "PartitionKey": connection.tenant,
        "RowKey": connection.row_key,
        "org_id": connection.org,
        "health": connection.health.value,
        "generation": connection.generation,
        "sealed_grant": connection.sealed_grant,
        "consent": connection.consent,
        "connected_at": connection.connected_at,
        "refreshed_at": connection.refreshed_at,
        "last_used_day": connection.last_used_day,
    }
    if connection.lease_holder is not None:
        entity |= {"lease_holder": connection.lease_holder, "lease_until": connection.lease_until}
    if connection.answer_lost:
        entity["answer_lost"] = True
    if connection.ended_at is not None:
        entity["ended_at"] = connection.ended_at
    return entity


def _connection(tenant: TenantId, entity: Entity) -> Connection:
    with row_is_readable():
        holder = entity.get("lease_holder")
        ended = entity.get("ended_at")
        return Connection(
            tenant=tenant,
            user=UserId(entity["RowKey"].partition("|")[0]),
            org=OrgId.parse(entity["org_id"]),
            health=Health(entity["health"]),
            generation=int(entity["generation"]),
            sealed_grant=bytes(entity["sealed_grant"]),
            consent=str(entity["consent"]),
            connected_at=utc(entity["connected_at"]),
            refreshed_at=utc(entity["refreshed_at"]),
            last_used_day=str(entity["last_used_day"]),
            lease_holder=holder,
            lease_until=utc(entity["lease_until"]) if holder else None,
            answer_lost=bool(entity.get("answer_lost", False)),
            ended_at=None if ended is None else utc(ended),
            etag=etag_of(entity),
        )
