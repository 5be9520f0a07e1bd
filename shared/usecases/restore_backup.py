"""Put one tenant's backup back into empty tables, after a loss.

Everything is checked before the first row is written: the keys open the manifest, the manifest
knows every part, every part is whole and opens, and no table holds a row of the tenant. Deletions
that were confirmed since are applied once more. A dry run does all of this and writes nothing.

One that is killed half-way leaves the tenant not empty, so that the next one refuses; what to do
then stands in docs/runbooks/restore.md.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import batched
from typing import Final

from shared.backup_format import UnreadableError, ledger_entry_from
from shared.errors import InvalidRequestError, StorageFailedError
from shared.model import TenantId, UserId
from shared.model.backups import (
    BACKED_UP,
    Row,
    day_of,
    keys_name,
    ledger_folder,
    manifest_name,
    tenant_folder,
)
from shared.ports import BackupStore, Gates, RecordedDeletions, TableCopies, TenantKeyStore, Vaults
from shared.usecases.read_backup import BackupReader, ReadBackup, Refusal, RestoreRefusedError
from shared.usecases.reapplied_deletions import ReappliedDeletions

_GATES_AT_A_TIME: Final = 16


class RestoreOutcome(StrEnum):
    RESTORED = "restored"
    CHECKED = "checked"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back of a tenant, or would: rows by table, and those that a deletion holds back.

    `DELETED`: the whole tenant was deleted, and nothing of it comes back.
    """

    tenant: TenantId
    outcome: RestoreOutcome
    day: date | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    held_back: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreBackup:
    backups: BackupStore
    vaults: Vaults
    tenant_keys: TenantKeyStore
    copies: TableCopies
    gates: Gates
    recorded: RecordedDeletions

    async def tenants(self) -> Sequence[TenantId]:
        """Every tenant that has files among the backups, or an entry in the ledger."""
        names = await self.backups.names("")
        found = {name.removeprefix("deletions/").partition("/")[0] for name in names}
        return [TenantId.parse(name) for name in sorted(found) if _is_tenant(name)]

    async def __call__(self, tenant: TenantId, day: date | None, *, dry_run: bool) -> Restored:
        """Put back the backup of a day, or (None) the newest. Raises RestoreRefusedError, before
        anything is written, and what the ports raise."""
        if not await self.copies.is_empty(tenant):
            raise RestoreRefusedError(Refusal.NOT_EMPTY)
        entries, deletions = await self._ledger(tenant)
        backup = await self._backup(tenant, day, deletions)
        if backup is None:
            if not dry_run:
                await self.recorded.put_back(tenant, entries)
            return Restored(tenant=tenant, outcome=RestoreOutcome.DELETED, day=day)
        rows, held_back = await _counted(backup, deletions)
        if not dry_run:  # deletions first: who is being deleted must not come back in between
            await self.recorded.put_back(tenant, entries)
            await self._write(backup, deletions)
        return Restored(
            tenant=tenant,
            outcome=RestoreOutcome.CHECKED if dry_run else RestoreOutcome.RESTORED,
            day=backup.day,
            rows=rows,
            held_back=held_back,
        )

    async def _backup(
        self, tenant: TenantId, day: date | None, deletions: ReappliedDeletions
    ) -> BackupReader | None:
        """The opened backup; None if the ledger says that the whole tenant was deleted since.

        A missing key file alone does not say so: it may be what was lost.
        """
        key_file = await self.backups.get(keys_name(tenant))
        if key_file is None:
            await self._require_deleted(tenant, deletions)
            return None
        chosen = day or await self._newest_day(tenant)
        read = ReadBackup(backups=self.backups, vaults=self.vaults)
        backup = await read(tenant, chosen, key_file)
        return None if deletions.all_gone(backup.manifest.taken_at) else backup

    async def _require_deleted(self, tenant: TenantId, deletions: ReappliedDeletions) -> None:
        """Raises RestoreRefusedError if the ledger does not explain why there are no keys."""
        files = await self.backups.names(tenant_folder(tenant))
        last = deletions.last_of_tenant()
        if last is None:
            raise RestoreRefusedError(Refusal.KEYS_MISSING if files else Refusal.NO_BACKUP)
        if any((found := day_of(name)) and found > last.date() for name in files):
            raise RestoreRefusedError(Refusal.KEYS_MISSING)  # it came back, and was backed up

    async def _newest_day(self, tenant: TenantId) -> date:
        names = await self.backups.names(tenant_folder(tenant))
        days = [
            found
            for name in names
            if (found := day_of(name)) and name == manifest_name(tenant, found)
        ]
        if not days:
            raise RestoreRefusedError(Refusal.NO_BACKUP)
        return max(days)

    async def _ledger(self, tenant: TenantId) -> tuple[Sequence[bytes], ReappliedDeletions]:
        files = [await self.backups.get(n) for n in await self.backups.names(ledger_folder(tenant))]
        entries = [data for data in files if data is not None]
        try:
            read = [ledger_entry_from(data) for data in entries]
            self.recorded.check(tenant, entries)
        except (UnreadableError, StorageFailedError) as exc:
            raise RestoreRefusedError(Refusal.LEDGER_BROKEN) from exc
        if any(entry.tenant != tenant for entry in read):
            raise RestoreRefusedError(Refusal.LEDGER_BROKEN)
        return entries, ReappliedDeletions(read)

    async def _write(self, backup: BackupReader, deletions: ReappliedDeletions) -> None:
        """Keys first, the tenant's own rows late, gates last: until then nobody can write."""
        for key in backup.keys:
            if not await self.tenant_keys.create(key):
                raise RestoreRefusedError(Refusal.NOT_EMPTY)
        users: list[UserId] = []
        for table in reversed(BACKED_UP):
            for number, _ in enumerate(backup.parts(table), start=1):
                rows = _left(await backup.rows(table, number), table, deletions)
                await self.copies.insert(table, backup.tenant, rows)
                if table == "users":
                    users += [UserId(str(row["RowKey"])) for row in rows]
        await self.gates.open(backup.tenant)
        for some in batched(users, _GATES_AT_A_TIME, strict=False):
            await asyncio.gather(*(self.gates.open_for(backup.tenant, user) for user in some))


async def _counted(
    backup: BackupReader, deletions: ReappliedDeletions
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Rows by table that come back, and those that do not; by reading and checking all of them."""
    come_back, held_back = dict.fromkeys(BACKED_UP, 0), dict.fromkeys(BACKED_UP, 0)
    for table in BACKED_UP:
        for number, _ in enumerate(backup.parts(table), start=1):
            rows = await backup.rows(table, number)
            left = len(_left(rows, table, deletions))
            come_back[table] += left
            held_back[table] += len(rows) - left
    return come_back, held_back


def _left(rows: Sequence[Row], table: str, deletions: ReappliedDeletions) -> Sequence[Row]:
    left = (deletions.left_of(table, row) for row in rows)
    return [row for row in left if row is not None]


def _is_tenant(text: str) -> bool:
    try:
        TenantId.parse(text)
    except InvalidRequestError:
        return False
    return True
