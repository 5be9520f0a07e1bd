"""An administrator changes what the tenant has settled: as a whole, and as it was read."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from shared.errors import (
    DeletionInProgressError,
    InvalidRequestError,
    KeyVaultFailedError,
    NotAdminError,
    SettingsChangedError,
    StorageFailedError,
    UpstreamError,
)
from shared.model import Caller, SettingsChange, Tenant, TenantId, TenantSettings, base32
from shared.ports import Clock, Leases, TenantStore, Vault
from shared.telemetry.events import alarm, event
from shared.tenant_settings import MEMBERS, revision_of
from shared.usecases.read_settings import ReadSettings, SeenSettings

KEY_LEASE: Final = "customer-key"
_LEASE: Final = timedelta(minutes=5)
"""Longer than the host lets a function run."""
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettings:
    tenants: TenantStore
    leases: Leases
    vault: Vault
    read: ReadSettings
    own_vault: str
    """The address of our own Key Vault, in which no customer has a key."""
    clock: Clock

    async def __call__(
        self, caller: Caller, wanted: TenantSettings, *, revision: str
    ) -> SeenSettings:
        """Put `wanted` in the place of the settings of that revision. Of many, exactly one does.

        Raises NotAdminError, SettingsChangedError (they are of another revision, or somebody is
        changing the key at this moment), DeletionInProgressError; KeyVaultFailedError if the
        customer's key does not serve, InvalidRequestError if it is in our own vault, and then
        nothing was changed.
        """
        if not caller.is_admin:
            raise NotAdminError
        tenant = await self._as_read(caller.tenant, revision)
        if tenant.settings == wanted:
            return await self.read.seen(caller, wanted)
        if tenant.settings.customer_key == wanted.customer_key:
            changed = await self._write(caller, wanted, revision)
        else:
            self._require_anothers(wanted.customer_key)
            async with self._keys_wrapped_by(caller.tenant, wanted.customer_key, revision):
                changed = await self._write(caller, wanted, revision)
        event("settings_changed", tenant=caller.tenant, user=caller.user, count=len(changed))
        return await self.read.seen(caller, wanted)

    def _require_anothers(self, key: str | None) -> None:
        """A customer whose key were one of ours could pin a version of it, or name another key."""
        if key is not None and urlsplit(key).hostname == urlsplit(self.own_vault).hostname:
            raise InvalidRequestError

    async def _as_read(self, tenant_id: TenantId, revision: str) -> Tenant:
        tenant = await self.tenants.load(tenant_id)
        if tenant is None or not tenant.is_active:
            raise DeletionInProgressError
        if revision_of(tenant.settings) != revision:
            raise SettingsChangedError
        return tenant

    async def _write(self, caller: Caller, wanted: TenantSettings, revision: str) -> list[str]:
        """Which settings are others now. Where only other columns of the row moved, once more."""
        for _ in range(_ATTEMPTS):
            tenant = await self._as_read(caller.tenant, revision)
            changed = _differences(tenant.settings, wanted)
            change = SettingsChange(
                id=f"c-{base32(os.urandom(16))}",
                changed_at=self.clock(),
                changed_by=caller.user,
                changed=tuple(changed),
            )
            if await self.tenants.change_settings(replace(tenant, settings=wanted), change):
                return changed
        raise StorageFailedError

    @asynccontextmanager
    async def _keys_wrapped_by(
        self, tenant_id: TenantId, key: str | None, revision: str
    ) -> AsyncIterator[None]:
        """The data keys are wrapped by the new key first, and by the one that the settings then
        name if writing these fails.

        One at a time, by a lease: else a slow loser could wrap them by a key of its own after the
        winner is done. Without the lease nothing is touched.
        """
        lease = await self.leases.take(
            tenant_id,
            KEY_LEASE,
            holder=base32(os.urandom(10)),
            until=self.clock() + _LEASE,
        )
        if lease is None:
            raise SettingsChangedError
        try:
            await self._as_read(tenant_id, revision)  # as it is now that nobody else is at it
            try:
                await self.vault.rewrap(tenant_id, by=key)
                yield
            except KeyVaultFailedError:
                raise  # the key does not serve: nothing was written
            except BaseException:
                await self._wrap_as_settled(tenant_id)
                raise
        finally:
            with suppress(UpstreamError):  # else it lapses
                await self.leases.release(lease)

    async def _wrap_as_settled(self, tenant_id: TenantId) -> None:
        """As well as it goes: what stays wrapped by the other key opens all the same, until that
        key's owner withdraws it; so somebody should know."""
        try:
            tenant = await self.tenants.load(tenant_id)
            if tenant is not None:
                await self.vault.rewrap(tenant_id, by=tenant.settings.customer_key)
        except UpstreamError as exc:
            alarm("dependency_failed", tenant=tenant_id, step="rewrap", code=exc.code)


def _differences(old: TenantSettings, new: TenantSettings) -> list[str]:
    return [name for name in MEMBERS if getattr(old, name) != getattr(new, name)]
