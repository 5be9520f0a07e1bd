"""All rows of a user, or of a whole tenant, in every table: counted, and deleted.

What each table holds of a user is said here once. A tenant's rows are whole partitions.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.model import DataSubject, TenantId, UserId
from shared.storage import TABLE_NAMES
from shared.storage.batches import delete_rows
from shared.storage.connections import bounds
from shared.storage.gates import WITH_USER_GATES, user_gate
from shared.storage.outbox import outbox_bounds
from shared.storage.tables import EVERY_KEY, Tables, keys_between, merge

_LAST: Final = "tenantkeys"
_KEPT: Final = "deletions"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of one partition: a range of keys, and what their columns must hold."""

    low: str
    high: str
    where: Mapping[str, str] = field(default_factory=dict)


class TableErasure:
    """Satisfies `ports.Erasure`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def count(self, subject: DataSubject) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for name in TABLE_NAMES:
            if name != _KEPT:
                counts[name] = 0
                async for page in self._pages(name, subject):
                    counts[name] += len(page)
        return counts

    async def authored(self, subject: DataSubject) -> int:
        if subject.user is None:
            return 0  # they are the tenant's, and counted as its rows
        pages = self._written_by(subject.tenant, subject.user)
        return sum([len(page) async for page in pages])

    async def delete(self, subject: DataSubject) -> None:
        for name in TABLE_NAMES:
            if name not in (_KEPT, _LAST):
                async for page in self._pages(name, subject):
                    await delete_rows(self._tables[name], subject.tenant, page)
        if subject.user is not None:
            await self._forget_author(subject.tenant, subject.user)

    async def _pages(self, name: str, subject: DataSubject) -> AsyncIterator[list[str]]:
        for rows in _rows_of(name, subject.user):
            pages = keys_between(
                self._tables[name], subject.tenant, rows.low, rows.high, where=rows.where
            )
            async for page in pages:
                yield page

    async def _forget_author(self, tenant: TenantId, user: UserId) -> None:
        """The tenant's changes of settings stay; who made them does not."""
        async for page in self._written_by(tenant, user):
            for key in page:
                row = {"PartitionKey": tenant, "RowKey": key, "changed_by": ""}
                await merge(self._tables["tenants"], row)

    def _written_by(self, tenant: TenantId, user: UserId) -> AsyncIterator[list[str]]:
        """The changes of settings that name a user."""
        table = self._tables["tenants"]
        return keys_between(table, tenant, "audit|", "audit}", where={"changed_by": user})


def _rows_of(name: str, user: UserId | None) -> tuple[_Rows, ...]:
    """Where a table holds rows of this user; without a user, everywhere."""
    low, high = EVERY_KEY
    if user is None:
        return (_Rows(low=low, high=high),)
    gate = user_gate(user)
    gates = (_Rows(low=gate, high=f"{gate}!"),) if name in WITH_USER_GATES else ()
    match name:
        case "users":
            own: tuple[_Rows, ...] = (_Rows(low=user, high=f"{user}!"),)
        case "connections":
            own = tuple(
                _Rows(low=first, high=last) for first, last in (bounds(user), outbox_bounds(user))
            )
        case "pending" | "runs":
            own = (_Rows(low=low, high=high, where={"user_id": user}),)
        case _:
            own = ()
    return (*gates, *own)
