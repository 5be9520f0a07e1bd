"""Rotate the keys of every tenant while it is served: hourly, tenant by tenant.

The wrapping key by itself makes new versions: the data keys are wrapped anew by the newest. A data
key is followed by another when it is old: what it sealed is sealed anew, it is retired, and when no
backup needs it any more, it is destroyed. Each step begins from what is stored, so a run that was
killed anywhere is made up for by the next.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from shared.errors import (
    DeletionInProgressError,
    FlowRunnerError,
    NotFoundError,
    SettingsChangedError,
    UpstreamError,
)
from shared.model import Tenant, TenantId, TenantStatus, WrappedKey
from shared.model.backups import BACKUP_DAYS, journal_folder
from shared.ports import BackupStore, Clock, Leases, TenantKeyStore, TenantStore, Vault
from shared.telemetry.events import alarm, event
from shared.usecases.change_settings import KEY_LEASE
from shared.usecases.reseal_values import ResealValues
from shared.usecases.rounds import go_through

DATA_KEY_LIFETIME: Final = timedelta(days=90)
SETTLING: Final = timedelta(minutes=10)
"""How long after a new data key was made the one before may still come to seal a stored value:
longer than an instance remembers which is the newest (seconds) and than a function may run."""
KEPT_FOR_BACKUPS: Final = timedelta(days=BACKUP_DAYS + 1)
"""How long a retired data key is kept: the backups of the nights before need it."""

_LEASE: Final = timedelta(minutes=2)
_EACH: Final = timedelta(seconds=45)
_RESEALING: Final = timedelta(seconds=30)
_BEGIN_WITHIN: Final = timedelta(seconds=150)
"""The host ends a function after four minutes (host.json)."""
_WRONG_CLOCK: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKeys:
    tenants: TenantStore
    tenant_keys: TenantKeyStore
    leases: Leases
    vault: Vault
    reseal: ResealValues
    backups: BackupStore
    clock: Clock
    monotonic: Callable[[], float] = monotonic
    each: timedelta = _EACH
    """What a tenant gets of a run, whatever hangs: the others must not wait for it."""

    async def __call__(self) -> None:
        """One tenant that fails holds up no other. In random order, so that a run that ends
        early is not always too late for the same ones."""
        found = list(await self.tenants.ids())
        secrets.SystemRandom().shuffle(found)
        await go_through(found, self._one, budget=_BEGIN_WITHIN, clock=self.monotonic)

    async def add_key(self, tenant_id: TenantId) -> int:
        """For operators: make a new data key now, its version. The hourly runs do the rest.

        Raises NotFoundError, DeletionInProgressError; SettingsChangedError while somebody else is
        at the tenant's keys, or our clock is wrong; KeyVaultFailedError.
        """
        found = await self.tenants.load(tenant_id)
        if found is None:
            raise NotFoundError
        if found.status is TenantStatus.DELETING:
            raise DeletionInProgressError
        async with self._alone_with(tenant_id) as tenant:
            if tenant is None:
                raise SettingsChangedError
            return await self._add_key(tenant)

    async def _one(self, tenant_id: TenantId) -> None:
        try:
            async with asyncio.timeout(self.each.total_seconds()):
                if await self._is_due(tenant_id):
                    await self._rotate(tenant_id)
        except FlowRunnerError as exc:
            _tell(tenant_id, exc.code)
        except TimeoutError:
            _tell(tenant_id, "timeout")

    async def _is_due(self, tenant_id: TenantId) -> bool:
        """Whether any step has something to do: most hours none has, and then no lease is taken,
        for which an administrator who changes the tenant's key would have to wait."""
        tenant = await self.tenants.load(tenant_id)
        if tenant is None or tenant.status is TenantStatus.DELETING:
            return False
        keys, now = await self.tenant_keys.all(tenant_id), self.clock()
        return bool(keys) and (
            await self._has_another_kek(tenant, keys)
            or _is_old(keys[-1], now)
            or bool(_in_use(keys))
            or any(_is_over(key, now) for key in keys[:-1])
        )

    async def _rotate(self, tenant_id: TenantId) -> None:
        async with self._alone_with(tenant_id) as tenant:
            if tenant is not None:
                await self._wrap_anew(tenant)
                await self._follow_an_old_key(tenant)
                await self._retire(tenant)
                await self._destroy(tenant)

    @asynccontextmanager
    async def _alone_with(self, tenant_id: TenantId) -> AsyncIterator[Tenant | None]:
        """The tenant as it is now that nobody else is at its keys. None while somebody is, where
        it is gone or being deleted, and where the store contradicts our clock: by that, keys are
        destroyed."""
        now = self.clock()
        lease = await self.leases.take(
            tenant_id, KEY_LEASE, holder=secrets.token_hex(8), until=now + _LEASE
        )
        if lease is None:
            yield None
            return
        try:
            tenant = await self.tenants.load(tenant_id)
            if tenant is None or tenant.status is TenantStatus.DELETING:
                yield None
            elif abs(lease.store_time - now) > _WRONG_CLOCK:
                alarm("clock_wrong", tenant=tenant_id, step="key_rotation")
                yield None
            else:
                yield tenant
        finally:
            with suppress(UpstreamError):  # else it lapses
                await self.leases.release(lease)

    async def _has_another_kek(self, tenant: Tenant, keys: Sequence[WrappedKey]) -> bool:
        """Whether a data key is wrapped by something else than what would wrap it now."""
        newest = await self.vault.newest_kek(by=tenant.settings.customer_key)
        return any(key.kek_id != newest for key in keys)

    async def _wrap_anew(self, tenant: Tenant) -> None:
        if await self._has_another_kek(tenant, await self.tenant_keys.all(tenant.id)):
            await self.vault.rewrap(tenant.id, by=tenant.settings.customer_key)

    async def _follow_an_old_key(self, tenant: Tenant) -> None:
        keys = await self.tenant_keys.all(tenant.id)
        if keys and _is_old(keys[-1], self.clock()):
            await self._add_key(tenant)

    async def _add_key(self, tenant: Tenant) -> int:
        """No gate stands before the keys: one that came too late for the tenant's deletion is
        taken back."""
        version = await self.vault.add_key(tenant.id, by=tenant.settings.customer_key)
        if await self.tenants.load(tenant.id) is None:
            await self.vault.destroy_key(tenant.id, version)
            raise DeletionInProgressError
        return version

    async def _retire(self, tenant: Tenant) -> None:
        """Seal anew what older keys sealed; retire them once a whole pass has found nothing.

        What lies in the journal of grants comes back into the tables as it was sealed: until it
        has, no key of before is retired. The floor is raised first: a retired key opens nothing.
        """
        keys = await self.tenant_keys.all(tenant.id)
        older = _in_use(keys)
        if not older:
            return
        newest, began = keys[-1], self.clock()
        if newest.version < tenant.floor_key_version:  # the one that was newer was taken away
            alarm("seal_broken", tenant=tenant.id, step="key_rotation")
            return
        journalled = await self.backups.names(journal_folder(tenant.id))
        done = await self.reseal(tenant.id, newest.version, within=_RESEALING)
        if journalled or not done.is_clean or began < newest.created_at + SETTLING:
            return
        await self.tenant_keys.raise_floor(tenant.id, newest.version)
        for key in older:
            await self.tenant_keys.retire(tenant.id, key.version, at=self.clock())
            event("data_key_retired", tenant=tenant.id)

    async def _destroy(self, tenant: Tenant) -> None:
        keys, floor = await self.tenant_keys.all(tenant.id), await self.tenant_keys.floor(tenant.id)
        for key in keys[:-1]:
            if _is_over(key, self.clock()) and key.version < floor:
                await self.vault.destroy_key(tenant.id, key.version)


def _is_old(key: WrappedKey, now: datetime) -> bool:
    return now - key.created_at >= DATA_KEY_LIFETIME


def _in_use(keys: Sequence[WrappedKey]) -> Sequence[WrappedKey]:
    """Those before the newest by which something in the tables may be sealed."""
    return [key for key in keys[:-1] if key.retired_at is None]


def _is_over(key: WrappedKey, now: datetime) -> bool:
    """Whether no backup is left that needs it."""
    return key.retired_at is not None and now - key.retired_at > KEPT_FOR_BACKUPS


def _tell(tenant: TenantId, code: str) -> None:
    alarm("dependency_failed", tenant=tenant, step="key_rotation", code=code)
