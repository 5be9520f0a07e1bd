"""The tables `tenants` and `tenantkeys`: a customer's own row, its Flow names, its data keys."""

import json
from collections.abc import Mapping
from typing import Final

from shared.model import OrgId, Tenant, TenantId, WrappedKey
from shared.storage.tables import (
    Entity,
    Tables,
    etag_of,
    get,
    insert,
    row_is_readable,
    rows_between,
    utc,
)

_TENANT_ROW: Final = "tenant"


class TableTenantStore:
    """Satisfies `ports.TenantStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, tenant: TenantId) -> Tenant | None:
        entity = await get(self._tables["tenants"], tenant, _TENANT_ROW)
        return None if entity is None else _tenant(tenant, entity)

    async def create(self, tenant: Tenant) -> bool:
        return await insert(
            self._tables["tenants"],
            {
                "PartitionKey": tenant.id,
                "RowKey": _TENANT_ROW,
                "provider": tenant.provider,
                "region": tenant.region,
                "status": "active" if tenant.is_active else "disabled",
                "epoch": tenant.epoch,
                "created_at": tenant.created_at,
                "settings": json.dumps({"allowed_orgs": tenant.allowed_orgs}),
                "floor_key_version": tenant.floor_key_version,
                "sealed_directory": tenant.sealed_directory,
                "sealed_pseudonym_key": tenant.sealed_pseudonym_key,
            },
        )

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        row = {"PartitionKey": tenant, "RowKey": f"flow|{flow_id}", "sealed_name": sealed}
        await insert(self._tables["tenants"], row)

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]:
        names: dict[str, bytes] = {}
        async for row in rows_between(self._tables["tenants"], tenant, "flow|", "flow}"):
            with row_is_readable():
                names[row["RowKey"].removeprefix("flow|")] = bytes(row["sealed_name"])
        return names


class TableTenantKeyStore:
    """Satisfies `ports.TenantKeyStore`. Row keys are `v1`, `v2`, …"""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, tenant: TenantId, version: int) -> WrappedKey | None:
        entity = await get(self._tables["tenantkeys"], tenant, f"v{version}")
        return None if entity is None else _wrapped_key(tenant, entity)

    async def newest(self, tenant: TenantId) -> WrappedKey | None:
        rows = rows_between(self._tables["tenantkeys"], tenant, "v", "w")
        keys = [_wrapped_key(tenant, row) async for row in rows]
        return max(keys, key=lambda key: key.version, default=None)

    async def create(self, key: WrappedKey) -> bool:
        return await insert(
            self._tables["tenantkeys"],
            {
                "PartitionKey": key.tenant,
                "RowKey": f"v{key.version}",
                "wrapped": key.wrapped,
                "kek_id": key.kek_id,
                "created_at": key.created_at,
            },
        )


def _tenant(tenant: TenantId, entity: Entity) -> Tenant:
    with row_is_readable():
        settings = json.loads(entity["settings"])
        return Tenant(
            id=tenant,
            provider=entity["provider"],
            region=entity["region"],
            is_active=entity["status"] == "active",
            epoch=int(entity["epoch"]),
            created_at=utc(entity["created_at"]),
            allowed_orgs=tuple(OrgId.parse(org) for org in settings["allowed_orgs"]),
            floor_key_version=int(entity["floor_key_version"]),
            sealed_directory=bytes(entity["sealed_directory"]),
            sealed_pseudonym_key=bytes(entity["sealed_pseudonym_key"]),
            etag=etag_of(entity),
        )


def _wrapped_key(tenant: TenantId, entity: Entity) -> WrappedKey:
    with row_is_readable():
        return WrappedKey(
            tenant=tenant,
            version=int(entity["RowKey"].removeprefix("v")),
            wrapped=bytes(entity["wrapped"]),
            kek_id=entity["kek_id"],
            created_at=utc(entity["created_at"]),
        )
