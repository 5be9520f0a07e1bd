"""Where sealed values live."""

from dataclasses import dataclass

from shared.model.who import TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value lives. It is bound into the seal: elsewhere the value does not open."""

    tenant: TenantId
    table: str
    row_key: str
    column: str


def flow_name_place(tenant: TenantId, flow_id: str) -> Place:
    """Where the sealed readable name of a Flow lives."""
    return Place(tenant=tenant, table="tenants", row_key=f"flow|{flow_id}", column="sealed_name")
