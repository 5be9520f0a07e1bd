"""Gates: rows that an insert must find in its own partition, in the same transaction.

A tombstone in another table cannot stop a writer who read it before it was set; Azure Tables has
transactions within one partition of one table only. So each table that rows are inserted into
holds a gate of the tenant, four hold one of each user, every insert touches its gate in the same
transaction, and a deletion takes the gates away first: from that moment nothing can be inserted,
and what was inserted before is there to be found (scenario D-05). A gate holds nothing but its
keys.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from shared.errors import DeletionInProgressError
from shared.model import DataSubject, TenantId, UserId
from shared.storage.batches import delete_rows, is_row_missing
from shared.storage.tables import (
    Entity,
    Operation,
    Tables,
    get,
    if_as_read,
    keys_between,
    plain,
    store_call,
)

TENANT_GATE: Final = "gate"
WITH_TENANT_GATE: Final = ("tenants", "users", "connections", "pending", "runs")
WITH_USER_GATES: Final = ("tenants", "connections", "pending", "runs")
_CONFLICT: Final = 409
_CHANGED: Final = 412


def user_gate(user: UserId) -> str:
    """The row key of a user's gate."""
    return f"gate|{user}"


def is_gate(row_key: str) -> bool:
    return row_key == TENANT_GATE or row_key.startswith("gate|")


async def insert_through(table: TableClient, gate: str, *entities: Entity) -> bool:
    """Whether the rows, all of one partition, were created; False if one of their keys is taken,
    and then none was.

    Raises DeletionInProgressError where the gate is closed.
    """
    touched = {"PartitionKey": entities[0]["PartitionKey"], "RowKey": gate}
    operations: list[Operation] = [
        ("update", plain(touched), {"mode": UpdateMode.MERGE}),
        *(("create", plain(entity)) for entity in entities),
    ]
    async with store_call():
        try:
            await table.submit_transaction(operations)
        except TableTransactionError as exc:
            if is_row_missing(exc):
                raise DeletionInProgressError from exc
            if exc.status_code == _CONFLICT:
                return False
            raise
    return True


async def renew_through(
    table: TableClient,
    gate: str,
    entity: Entity,
    etag: str | None,
    *,
    also: Sequence[Entity] = (),
) -> str | None:
    """Write the whole row if it still is as read, and insert `also` with it: the row's new etag,
    or None if it is not as read, or gone, and then nothing was written.

    Raises DeletionInProgressError where the gate is closed.
    """
    changed = ("update", plain(entity), {"mode": UpdateMode.REPLACE, **if_as_read(etag)})
    written = await _changed_through(table, gate, changed, also)
    return None if written is None else str(written["etag"])


async def delete_through(
    table: TableClient, gate: str, entity: Entity, etag: str | None, *, also: Sequence[Entity]
) -> bool:
    """Delete the row if it still is as read, and insert `also`: whether that was done.

    Raises DeletionInProgressError where the gate is closed.
    """
    keys = {"PartitionKey": entity["PartitionKey"], "RowKey": entity["RowKey"]}
    changed = ("delete", plain(keys), if_as_read(etag))
    return await _changed_through(table, gate, changed, also) is not None


async def _changed_through(
    table: TableClient, gate: str, change: Operation, also: Sequence[Entity]
) -> Mapping[str, Any] | None:
    """What the store says of the change; None if its row is not as read, or gone."""
    touched = {"PartitionKey": change[1]["PartitionKey"], "RowKey": gate}
    operations: list[Operation] = [
        ("update", plain(touched), {"mode": UpdateMode.MERGE}),
        change,
        *(("create", plain(entity)) for entity in also),
    ]
    async with store_call():
        try:
            written = await table.submit_transaction(operations)
        except TableTransactionError as exc:
            if is_row_missing(exc) and exc.index == 0:
                raise DeletionInProgressError from exc
            if is_row_missing(exc) or exc.status_code == _CHANGED:
                return None
            raise
        return written[1]


class TableGates:
    """Satisfies `ports.Gates`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def open(self, tenant: TenantId) -> None:
        for name in WITH_TENANT_GATE:
            async with store_call():
                row = plain({"PartitionKey": tenant, "RowKey": TENANT_GATE})
                try:
                    await self._tables[name].create_entity(row)
                except ResourceExistsError:
                    continue

    async def open_for(self, tenant: TenantId, user: UserId) -> None:
        for name in WITH_USER_GATES:
            row = {"PartitionKey": tenant, "RowKey": user_gate(user)}
            await insert_through(self._tables[name], TENANT_GATE, row)

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[str]:
        row_key = user_gate(user)
        return [
            name
            for name in WITH_USER_GATES
            if await get(self._tables[name], tenant, row_key) is not None
        ]

    async def close(self, subject: DataSubject) -> None:
        """The tenant's own gates go before its users' are listed: no new one can come after."""
        if subject.user is not None:
            for name in WITH_USER_GATES:
                await delete_rows(self._tables[name], subject.tenant, [user_gate(subject.user)])
            return
        for name in WITH_TENANT_GATE:
            await delete_rows(self._tables[name], subject.tenant, [TENANT_GATE])
        for name in WITH_USER_GATES:
            table = self._tables[name]
            async for page in keys_between(table, subject.tenant, "gate|", "gate}"):
                await delete_rows(table, subject.tenant, page)
