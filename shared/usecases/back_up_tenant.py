"""Back up one tenant: parts, then the keys, then the manifest, all under a lease.

Whatever stands when this is killed is no backup: without its manifest a day's folder counts for
nothing, and the next run writes it anew.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from shared.backup_format import PackedRows, keys_content, manifest_content
from shared.model import Lease, TenantId
from shared.model.backups import (
    BACKED_UP,
    ROWS_A_PART,
    BackupManifest,
    BackupPart,
    day_folder,
    is_technical,
    keys_name,
    keys_place,
    manifest_name,
    manifest_place,
    part_name,
    part_place,
)
from shared.ports import BackupStore, Clock, TableCopies, TenantKeyStore, Vault
from shared.usecases.sealed_documents import SealedDocuments

LAST_CALL: Final = timedelta(seconds=60)
"""No upload begins when the lease has less than this left: half a minute for the upload itself
(`ports.BackupStore`), and as much for clocks that differ."""

MOST_SKEW: Final = timedelta(seconds=30)
"""Between our clock and the store's; with more, a lease says nothing."""


class OutOfTimeError(Exception):
    """The lease is about to lapse, or cannot be relied on: nothing more may be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackUpTenant:
    tenant_keys: TenantKeyStore
    copies: TableCopies
    vault: Vault
    backups: BackupStore
    clock: Clock
    rows_a_part: int = ROWS_A_PART

    async def __call__(self, lease: Lease) -> int:
        """How many rows there are. Raises OutOfTimeError, and what the ports raise."""
        tenant, taken_at = lease.tenant, self.clock()
        if abs(lease.store_time - taken_at) > MOST_SKEW:
            raise OutOfTimeError
        self._require_time(lease)
        day = taken_at.date()
        # The day's earlier manifest goes first: the parts that it names are written anew.
        await self.backups.delete(manifest_name(tenant, day))
        parts = [part for table in BACKED_UP async for part in self._parts(lease, day, table)]
        await self._documents(lease, day, taken_at, tuple(parts))
        await self._remove_leftovers(tenant, day, parts)
        return sum(part.rows for part in parts)

    async def take_back(self, tenant: TenantId) -> None:
        """Delete what was written today: the tenant is being deleted. The keys go first."""
        await self.backups.delete(keys_name(tenant))
        for name in await self.backups.names(day_folder(tenant, self.clock().date())):
            await self.backups.delete(name)

    async def _parts(self, lease: Lease, day: date, table: str) -> AsyncIterator[BackupPart]:
        """Write a table's rows, a part at a time: one part is all that is ever in memory."""
        packed, number = PackedRows(), 1
        async for row in self.copies.rows(table, lease.tenant):
            if is_technical(str(row["RowKey"])):
                continue
            packed.add(row)
            if packed.count == self.rows_a_part:
                yield await self._part(lease, day, table, number, packed)
                packed, number = PackedRows(), number + 1
        if packed.count:
            yield await self._part(lease, day, table, number, packed)

    async def _part(
        self, lease: Lease, day: date, table: str, number: int, packed: PackedRows
    ) -> BackupPart:
        tenant = lease.tenant
        place = part_place(tenant, day, table, number)
        sealed = await self.vault.seal(place, packed.finished())
        part = BackupPart(
            name=part_name(tenant, day, table, number),
            table=table,
            rows=packed.count,
            size=len(sealed),
            sha256=hashlib.sha256(sealed).hexdigest(),
        )
        await self._put(lease, part.name, sealed)
        return part

    async def _documents(
        self, lease: Lease, day: date, taken_at: datetime, parts: tuple[BackupPart, ...]
    ) -> None:
        tenant, documents = lease.tenant, SealedDocuments(vault=self.vault)
        keys = keys_content(tenant, await self.tenant_keys.all(tenant))
        sealed = await documents.sealed(keys_place(tenant), keys)
        await self._put(lease, keys_name(tenant), sealed)
        manifest = manifest_content(BackupManifest(tenant=tenant, taken_at=taken_at, parts=parts))
        sealed = await documents.sealed(manifest_place(tenant, day), manifest)
        await self._put(lease, manifest_name(tenant, day), sealed)

    async def _remove_leftovers(self, tenant: TenantId, day: date, parts: list[BackupPart]) -> None:
        """Parts of an earlier run of this day that had more of them."""
        ours = {manifest_name(tenant, day), *(part.name for part in parts)}
        for name in await self.backups.names(day_folder(tenant, day)):
            if name not in ours:
                await self.backups.delete(name)

    async def _put(self, lease: Lease, name: str, data: bytes) -> None:
        self._require_time(lease)
        await self.backups.put(name, data)

    def _require_time(self, lease: Lease) -> None:
        """What is deleted after the lease must not come back by a late upload."""
        if self.clock() + LAST_CALL > lease.until:
            raise OutOfTimeError
