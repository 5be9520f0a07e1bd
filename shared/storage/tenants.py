"""The table `tenants`: a customer's own row, its settings and their changes, its Flow names."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from azure.data.tables import TableTransactionError, UpdateMode

from shared.errors import DeletionInProgressError, InvalidRequestError, StorageFailedError
from shared.model import SettingsChange, Tenant, TenantId, TenantStatus, UserId
from shared.storage.batches import is_row_missing
from shared.storage.gates import TENANT_GATE, insert_through, user_gate
from shared.storage.run_keys import descending_time
from shared.storage.tables import (
    NOT_THERE_AS_READ,
    Entity,
    Operation,
    Tables,
    etag_of,
    get,
    if_as_read,
    insert,
    merge,
    pages_anywhere,
    pages_between,
    plain,
    row_is_readable,
    rows_between,
    store_call,
    utc,
)
from shared.telemetry.events import event
from shared.tenant_settings import settings_from, settings_text

TENANT_ROW: Final = "tenant"
_ATTEMPTS: Final = 5


class TableTenantStore:
    """Satisfies `ports.TenantStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, tenant: TenantId) -> Tenant | None:
        entity = await get(self._tables["tenants"], tenant, TENANT_ROW)
        return None if entity is None else _tenant(tenant, entity)

    async def ids(self) -> Sequence[TenantId]:
        found: list[TenantId] = []
        rows = pages_anywhere(
            self._tables["tenants"],
            "RowKey eq @row",
            {"row": TENANT_ROW},
            select=("PartitionKey",),
        )
        async for page in rows:
            for entity in page:
                try:
                    found.append(TenantId.parse(entity["PartitionKey"]))
                except InvalidRequestError:  # no tenant of ours; the others must not wait for it
                    event("row_unreadable", step="tenants")
        return found

    async def create(self, tenant: Tenant) -> bool:
        return await insert(
            self._tables["tenants"],
            {
                "PartitionKey": tenant.id,
                "RowKey": TENANT_ROW,
                "provider": tenant.provider,
                "region": tenant.region,
                "status": tenant.status.value,
                "epoch": tenant.epoch,
                "created_at": tenant.created_at,
                "settings": settings_text(tenant.settings),
                "floor_key_version": tenant.floor_key_version,
                "sealed_directory": tenant.sealed_directory,
                "sealed_pseudonym_key": tenant.sealed_pseudonym_key,
            },
        )

    async def change_settings(self, tenant: Tenant, change: SettingsChange) -> Tenant | None:
        settled = {
            "PartitionKey": tenant.id,
            "RowKey": TENANT_ROW,
            "settings": settings_text(tenant.settings),
        }
        told = {
            "PartitionKey": tenant.id,
            "RowKey": f"audit|{descending_time(change.changed_at)}|{change.id}",
            "changed_at": change.changed_at,
            "changed_by": change.changed_by,
            "changed": ",".join(change.changed),
        }
        gate = {"PartitionKey": tenant.id, "RowKey": user_gate(UserId(change.changed_by))}
        operations: list[Operation] = [
            ("update", plain(gate), {"mode": UpdateMode.MERGE}),
            ("update", plain(settled), {"mode": UpdateMode.MERGE, **if_as_read(tenant.etag)}),
            ("create", plain(told)),
        ]
        async with store_call():
            try:
                written = await self._tables["tenants"].submit_transaction(operations)
            except TableTransactionError as exc:
                if exc.index == 0 and is_row_missing(exc):
                    raise DeletionInProgressError from exc
                if exc.status_code in NOT_THERE_AS_READ:
                    return None
                raise
            return dataclasses.replace(tenant, etag=str(written[1]["etag"]))

    async def settings_changes(self, tenant: TenantId, *, limit: int) -> Sequence[SettingsChange]:
        found: list[SettingsChange] = []
        async for page in pages_between(self._tables["tenants"], tenant, "audit|", "audit}"):
            found += [_settings_change(entity) for entity in page]
            if len(found) >= limit:
                break
        return found[:limit]

    async def settings_changes_by(self, tenant: TenantId, user: UserId) -> Sequence[SettingsChange]:
        own = {"changed_by": user}
        rows = rows_between(self._tables["tenants"], tenant, "audit|", "audit}", where=own)
        return [_settings_change(entity) async for entity in rows]

    async def begin_deletion(self, tenant: TenantId) -> None:
        await self._move_on(tenant, TenantStatus.DELETING, unless=())

    async def change_status(self, tenant: TenantId, status: TenantStatus) -> TenantStatus | None:
        return await self._move_on(tenant, status, unless=(status, TenantStatus.DELETING))

    async def _move_on(
        self, tenant: TenantId, status: TenantStatus, *, unless: Collection[TenantStatus]
    ) -> TenantStatus | None:
        """Another status and the next epoch by one conditional write; the status before."""
        for _ in range(_ATTEMPTS):
            found = await self.load(tenant)
            if found is None:
                return None
            row = {
                "PartitionKey": tenant,
                "RowKey": TENANT_ROW,
                "status": status.value,
                "epoch": found.epoch + 1,
            }
            if found.status in unless or await merge(self._tables["tenants"], row, etag=found.etag):
                return found.status
        raise StorageFailedError

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        row = {"PartitionKey": tenant, "RowKey": f"flow|{flow_id}", "sealed_name": sealed}
        await insert_through(self._tables["tenants"], TENANT_GATE, row)

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]:
        names: dict[str, bytes] = {}
        async for row in rows_between(self._tables["tenants"], tenant, "flow|", "flow}"):
            with row_is_readable():
                names[row["RowKey"].removeprefix("flow|")] = bytes(row["sealed_name"])
        return names


def _tenant(tenant: TenantId, entity: Entity) -> Tenant:
    with row_is_readable():
        return Tenant(
            id=tenant,
            provider=entity["provider"],
            region=entity["region"],
            status=TenantStatus(entity["status"]),
            epoch=int(entity["epoch"]),
            created_at=utc(entity["created_at"]),
            settings=settings_from(entity["settings"]),
            floor_key_version=int(entity["floor_key_version"]),
            sealed_directory=bytes(entity["sealed_directory"]),
            sealed_pseudonym_key=bytes(entity["sealed_pseudonym_key"]),
            etag=etag_of(entity),
        )


def _settings_change(entity: Entity) -> SettingsChange:
    with row_is_readable():
        return SettingsChange(
            id=entity["RowKey"].rpartition("|")[2],
            changed_at=utc(entity["changed_at"]),
            changed_by=str(entity["changed_by"]),
            changed=tuple(str(entity["changed"]).split(",")),
        )
