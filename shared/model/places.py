"""Where sealed values live."""

from dataclasses import dataclass, field
from typing import Final

from shared.model.who import TenantId

_OUTBOX: Final = "outbox|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value lives. It is bound into the seal: elsewhere the value does not open."""

    tenant: TenantId
    table: str
    row_key: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedValue:
    """One sealed column of one row, as it was read. `row_key` is that of the row."""

    tenant: TenantId
    table: str
    row_key: str
    column: str
    sealed: bytes = field(repr=False)
    etag: str = field(compare=False)

    @property
    def place(self) -> Place:
        """What it was sealed for."""
        return place_of(self.tenant, self.table, self.row_key, self.column)


def place_of(tenant: TenantId, table: str, row_key: str, column: str) -> Place:
    """What a column of a row is sealed for: that row, but for an entry of the outbox.

    `outbox|<user>|<org>|<id>` holds what was sealed for the connection `<user>|<org>`: it was moved
    there without being opened.
    """
    if table == "connections" and row_key.startswith(_OUTBOX):
        row_key = row_key.removeprefix(_OUTBOX).rpartition("|")[0]
    return Place(tenant=tenant, table=table, row_key=row_key, column=column)


def flow_name_place(tenant: TenantId, flow_id: str) -> Place:
    """Where the sealed readable name of a Flow lives."""
    return Place(tenant=tenant, table="tenants", row_key=f"flow|{flow_id}", column="sealed_name")
