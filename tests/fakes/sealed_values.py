"""The sealed values of the stores in memory."""

from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.model import TenantId
from shared.model.places import SealedValue
from tests.fakes.faults import Faults
from tests.fakes.stores import (
    MemoryConnectionStore,
    MemoryPendingStore,
    MemoryTenantStore,
    MemoryUserStore,
    new_etag,
)

_FIRST_ETAG = 'W/"0"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A sealed column, and where a fake keeps it: `field` of each row, or (None) the row itself."""

    table: str
    name: str
    rows: MutableMapping[Any, Any]
    row_key: Callable[[Any, Any], str]
    field: str | None


class MemorySealedValues:
    """Satisfies `ports.SealedValues`, with a page for each column. Rows that have no etag of their
    own are as read while they hold the same value."""

    def __init__(
        self,
        *,
        tenants: MemoryTenantStore,
        users: MemoryUserStore,
        connections: MemoryConnectionStore,
        pending: MemoryPendingStore,
    ) -> None:
        self.faults = Faults()
        outbox = connections.outbox
        self._columns = [
            *(
                _Column(
                    table="tenants",
                    name=name,
                    rows=tenants.rows,
                    row_key=lambda *_: "tenant",
                    field=name,
                )
                for name in ("sealed_directory", "sealed_pseudonym_key")
            ),
            _Column(
                table="tenants",
                name="sealed_name",
                rows=tenants.flow_names,
                row_key=lambda key, _: f"flow|{key[1]}",
                field=None,
            ),
            _Column(
                table="users",
                name="sealed_identity",
                rows=users.rows,
                row_key=lambda key, _: str(key[1]),
                field="sealed_identity",
            ),
            *(
                _Column(
                    table="connections",
                    name="sealed_grant",
                    rows=rows,
                    row_key=lambda key, _: str(key[1]),
                    field="sealed_grant",
                )
                for rows in (connections.rows, outbox.rows)
            ),
            _Column(
                table="pending",
                name="sealed",
                rows=pending.rows,
                row_key=lambda _, row: str(row.place.row_key),
                field="sealed",
            ),
        ]

    async def pages(self, tenant: TenantId) -> AsyncIterator[Sequence[SealedValue]]:
        for column in self._columns:
            async with self.faults.call("pages"):
                found = [
                    _value(tenant, column, key, row)
                    for key, row in column.rows.items()
                    if _tenant_of(key) == tenant
                ]
            yield [value for value in found if value.sealed]

    async def replace(self, value: SealedValue, sealed: bytes) -> bool:
        async with self.faults.call("replace"):
            for column in self._columns:
                for key, row in column.rows.items():
                    if _tenant_of(key) != value.tenant:
                        continue
                    found = _value(value.tenant, column, key, row)
                    if (found, found.etag) == (value, value.etag):
                        column.rows[key] = _written(column, row, sealed)
                        return True
            return False


def _tenant_of(key: Any) -> TenantId:  # noqa: ANN401 - whatever a store's key is
    found: TenantId = key[0] if isinstance(key, tuple) else key
    return found


def _value(tenant: TenantId, column: _Column, key: Any, row: Any) -> SealedValue:  # noqa: ANN401
    return SealedValue(
        tenant=tenant,
        table=column.table,
        row_key=column.row_key(key, row),
        column=column.name,
        sealed=row if column.field is None else getattr(row, column.field),
        etag=getattr(row, "etag", None) or _FIRST_ETAG,
    )


def _written(column: _Column, row: Any, sealed: bytes) -> Any:  # noqa: ANN401 - as above
    if column.field is None:
        return sealed
    changes: dict[str, Any] = {column.field: sealed}
    if hasattr(row, "etag"):
        changes["etag"] = new_etag()
    return replace(row, **changes)
