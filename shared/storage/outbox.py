"""The outbox: discarded grants, in the table `connections`, each until it is revoked."""

from collections.abc import Sequence

from shared.errors import StorageFailedError
from shared.model import DataSubject, DiscardedGrant, OrgId, TenantId, UserId
from shared.storage.batches import delete_rows
from shared.storage.gates import insert_through, user_gate
from shared.storage.tables import (
    Entity,
    Tables,
    etag_of,
    replace_as_read,
    row_is_readable,
    rows_between,
    utc,
)


class TableRevocationOutbox:
    """Satisfies `ports.RevocationOutbox`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def put(self, discarded: DiscardedGrant) -> None:
        gate = user_gate(discarded.user)
        await insert_through(self._tables["connections"], gate, entry(discarded))

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[DiscardedGrant], int]:
        found: list[DiscardedGrant] = []
        unreadable = 0
        table = self._tables["connections"]
        async for row in rows_between(table, subject.tenant, *outbox_bounds(subject.user)):
            try:
                found.append(_discarded(subject.tenant, row))
            except StorageFailedError:
                unreadable += 1
        return found, unreadable

    async def replace(self, discarded: DiscardedGrant) -> None:
        await replace_as_read(self._tables["connections"], entry(discarded), discarded.etag)

    async def delete(self, discarded: DiscardedGrant) -> None:
        await delete_rows(self._tables["connections"], discarded.tenant, [discarded.row_key])


def outbox_bounds(user: UserId | None) -> tuple[str, str]:
    """Between which row keys the entries of a user are; without a user, those of the tenant."""
    return ("outbox|", "outbox}") if user is None else (f"outbox|{user}|", f"outbox|{user}}}")


def entry(discarded: DiscardedGrant) -> Entity:
    """The row, for a transaction that discards the grant somewhere else in this table."""
    return {
        "PartitionKey": discarded.tenant,
        "RowKey": discarded.row_key,
        "org_id": discarded.org,
        "sealed_grant": discarded.sealed_grant,
        "discarded_at": discarded.discarded_at,
        "next_try_at": discarded.next_try_at,
        "attempts": discarded.attempts,
        "may_be_spent": discarded.may_be_spent,
    }


def _discarded(tenant: TenantId, entity: Entity) -> DiscardedGrant:
    with row_is_readable():
        _, user, org, entry_id = str(entity["RowKey"]).split("|")
        found = DiscardedGrant(
            tenant=tenant,
            user=UserId(user),
            org=OrgId.parse(entity["org_id"]),
            id=entry_id,
            sealed_grant=bytes(entity["sealed_grant"]),
            discarded_at=utc(entity["discarded_at"]),
            next_try_at=utc(entity["next_try_at"]),
            attempts=int(entity["attempts"]),
            may_be_spent=bool(entity["may_be_spent"]),
            etag=etag_of(entity),
        )
        if found.org.lower() != org:
            raise ValueError("org_id")
        return found
