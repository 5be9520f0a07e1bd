"""Read one tenant's backup of one day, and believe nothing that its seals and hashes do not say."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from shared.backup_format import (
    UnreadableError,
    keys_from,
    manifest_from,
    parted_document,
    unpacked_rows,
)
from shared.errors import SealBrokenError
from shared.model import TenantId, WrappedKey
from shared.model.backups import (
    BACKED_UP,
    BackupManifest,
    BackupPart,
    Row,
    keys_place,
    manifest_name,
    manifest_place,
    part_name,
    part_place,
)
from shared.ports import BackupStore, Vault, Vaults
from shared.usecases.sealed_documents import SealedDocuments


class Refusal(StrEnum):
    """Why a backup is not put back. Nothing has been written then."""

    NOT_EMPTY = "tenant_not_empty"
    NO_BACKUP = "no_backup"
    KEYS_MISSING = "keys_missing"
    KEYS_BROKEN = "keys_broken"
    MANIFEST_BROKEN = "manifest_broken"
    PART_MISSING = "part_missing"
    PART_BROKEN = "part_broken"
    LEDGER_BROKEN = "ledger_broken"


class RestoreRefusedError(Exception):
    """The backup cannot be put back as it is, or not here."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class KeysOfBackup:
    """Satisfies `ports.TenantKeyStore` with the keys of a key file. Changes stay in memory."""

    def __init__(self, keys: Sequence[WrappedKey]) -> None:
        self._keys = {(key.tenant, key.version): key for key in keys}

    async def all(self, tenant: TenantId) -> Sequence[WrappedKey]:
        return [self._keys[key] for key in sorted(self._keys) if key[0] == tenant]

    async def create(self, key: WrappedKey) -> bool:
        return self._keys.setdefault((key.tenant, key.version), key) is key

    async def rewrap(self, key: WrappedKey) -> bool:
        is_known = (key.tenant, key.version) in self._keys
        if is_known:
            self._keys[key.tenant, key.version] = key
        return is_known

    async def retire(self, tenant: TenantId, version: int, *, at: datetime) -> None:
        if (tenant, version) in self._keys:
            self._keys[tenant, version] = replace(self._keys[tenant, version], retired_at=at)

    async def destroy_version(self, tenant: TenantId, version: int) -> None:
        self._keys.pop((tenant, version), None)

    async def floor(self, tenant: TenantId) -> int:
        """None: a backup is older than what has happened to the tables since."""
        del tenant
        return 0

    async def raise_floor(self, tenant: TenantId, version: int) -> None:
        """There is none to raise."""

    async def destroy(self, tenant: TenantId) -> None:
        self._keys = {key: value for key, value in self._keys.items() if key[0] != tenant}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReader:
    """The opened backup: its keys, what belongs to it, and its rows part by part."""

    tenant: TenantId
    day: date
    keys: Sequence[WrappedKey]
    manifest: BackupManifest
    vault: Vault
    backups: BackupStore

    def parts(self, table: str) -> Sequence[BackupPart]:
        return [part for part in self.manifest.parts if part.table == table]

    async def rows(self, table: str, number: int) -> Sequence[Row]:
        """All rows of a part, the first being number 1. Raises RestoreRefusedError."""
        part = self.parts(table)[number - 1]
        sealed = await self.backups.get(part.name)
        if sealed is None:
            raise RestoreRefusedError(Refusal.PART_MISSING)
        if len(sealed) != part.size or hashlib.sha256(sealed).hexdigest() != part.sha256:
            raise RestoreRefusedError(Refusal.PART_BROKEN)
        place = part_place(self.tenant, self.day, table, number)
        try:
            rows = list(unpacked_rows(await self.vault.open(place, sealed)))
        except (SealBrokenError, UnreadableError) as exc:
            raise RestoreRefusedError(Refusal.PART_BROKEN) from exc
        if len(rows) != part.rows or not all(isinstance(row.get("RowKey"), str) for row in rows):
            raise RestoreRefusedError(Refusal.PART_BROKEN)
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBackup:
    backups: BackupStore
    vaults: Vaults

    async def __call__(self, tenant: TenantId, day: date, key_file: bytes) -> BackupReader:
        """Raises RestoreRefusedError; KeyVaultFailedError if the keys cannot be unwrapped."""
        keys, vault = await self._opened_keys(tenant, key_file)
        return BackupReader(
            tenant=tenant,
            day=day,
            keys=keys,
            manifest=await self._manifest(tenant, day, vault),
            vault=vault,
            backups=self.backups,
        )

    async def _opened_keys(
        self, tenant: TenantId, key_file: bytes
    ) -> tuple[Sequence[WrappedKey], Vault]:
        """The key file is under a seal of its own newest key: nobody else could have written it."""
        try:
            keys = keys_from(parted_document(key_file)[0])
            vault = self.vaults(KeysOfBackup(keys))
            await SealedDocuments(vault=vault).opened(keys_place(tenant), key_file)
        except (UnreadableError, SealBrokenError) as exc:
            raise RestoreRefusedError(Refusal.KEYS_BROKEN) from exc
        return keys, vault

    async def _manifest(self, tenant: TenantId, day: date, vault: Vault) -> BackupManifest:
        data = await self.backups.get(manifest_name(tenant, day))
        if data is None:
            raise RestoreRefusedError(Refusal.NO_BACKUP)
        try:
            opened = await SealedDocuments(vault=vault).opened(manifest_place(tenant, day), data)
            manifest = manifest_from(opened)
        except (UnreadableError, SealBrokenError) as exc:
            raise RestoreRefusedError(Refusal.MANIFEST_BROKEN) from exc
        expected = [
            part_name(tenant, day, table, number)
            for table in BACKED_UP
            for number, part in enumerate(
                (part for part in manifest.parts if part.table == table), start=1
            )
        ]
        named = [part.name for part in manifest.parts]
        if (manifest.tenant, named) != (tenant, expected):
            raise RestoreRefusedError(Refusal.MANIFEST_BROKEN)
        return manifest
