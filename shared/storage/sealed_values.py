"""Every sealed column of the tables: what a rotation of data keys seals anew.

Tables cannot be asked which key has sealed a value, so a pass reads all of a tenant's; what it
reads of a row are the keys and the sealed columns.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from shared.model import TenantId
from shared.model.places import SealedValue
from shared.model.schema import TABLES
from shared.storage.outbox import outbox_bounds
from shared.storage.tables import EVERY_KEY, Entity, Tables, etag_of, merge, pages_between
from shared.telemetry.events import event

_LOWEST, _HIGHEST = EVERY_KEY
_OUTBOX, _BEHIND_THE_OUTBOX = outbox_bounds(None)

SEALED_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    table.name: tuple(
        sorted({column.name for kind in table.kinds for column in kind.columns if column.is_sealed})
    )
    for table in TABLES.values()
}
"""By table, as the schema lists them."""

_RANGES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "connections": (
        (_BEHIND_THE_OUTBOX, _HIGHEST),
        (_LOWEST, _OUTBOX),
        (_OUTBOX, _BEHIND_THE_OUTBOX),
    )
}
"""In which order the row keys of a table are gone through. Grants move from the connections to the
outbox: the outbox comes last."""


class TableSealedValues:
    """Satisfies `ports.SealedValues`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def pages(self, tenant: TenantId) -> AsyncIterator[Sequence[SealedValue]]:
        for name, columns in SEALED_COLUMNS.items():
            for low, high in _RANGES.get(name, (EVERY_KEY,)) if columns else ():
                select = ("PartitionKey", "RowKey", *columns)
                table = self._tables[name]
                async for page in pages_between(table, tenant, low, high, select=select):
                    yield [one for row in page for one in _values(tenant, name, columns, row)]

    async def replace(self, value: SealedValue, sealed: bytes) -> bool:
        row = {"PartitionKey": value.tenant, "RowKey": value.row_key, value.column: sealed}
        return await merge(self._tables[value.table], row, etag=value.etag)


def _values(
    tenant: TenantId, table: str, columns: Sequence[str], row: Entity
) -> Sequence[SealedValue]:
    """The sealed values of a row; one that holds something else there has none."""
    found = [(column, row[column]) for column in columns if row.get(column)]
    for _ in [value for _, value in found if not isinstance(value, bytes)]:
        event("row_unreadable", tenant=tenant, step="key_rotation")
    return [
        SealedValue(
            tenant=tenant,
            table=table,
            row_key=str(row["RowKey"]),
            column=column,
            sealed=value,
            etag=etag_of(row),
        )
        for column, value in found
        if isinstance(value, bytes)
    ]
