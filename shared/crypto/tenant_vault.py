"""Each tenant's data keys: made here, wrapped by Key Vault, kept in memory for ten minutes."""

import os
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Place, TenantId, WrappedKey
from shared.ports import Clock, KeyWrapper, TenantKeyStore
from shared.telemetry.events import alarm

_CACHE_SECONDS: Final = 600.0
_CACHE_SIZE: Final = 1_000


class TenantVault:
    """Satisfies `ports.Vault`. Unwrapping is single flight: a cold start asks Key Vault once."""

    def __init__(
        self,
        *,
        keys: TenantKeyStore,
        wrapper: KeyWrapper,
        clock: Clock,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._keys, self._wrapper, self._clock = keys, wrapper, clock
        self._opened: TimedCache[tuple[TenantId, int], bytes] = TimedCache(
            size=_CACHE_SIZE, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )
        self._newest: TimedCache[TenantId, int] = TimedCache(
            size=_CACHE_SIZE, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )

    async def create_key(self, tenant: TenantId) -> None:
        """Give a new tenant its first data key. Of several callers at once, one key remains."""
        if await self._keys.newest(tenant) is not None:
            return
        wrapped, kek_id = await self._wrapper.wrap(os.urandom(envelope.KEY_BYTES))
        created: datetime = self._clock()
        await self._keys.create(
            WrappedKey(tenant=tenant, version=1, wrapped=wrapped, kek_id=kek_id, created_at=created)
        )

    async def seal(self, place: Place, plain: bytes) -> bytes:
        """Seal with the tenant's newest data key. Raises KeyVaultFailedError without one."""
        version = await self._newest.get(place.tenant, lambda: self._newest_version(place.tenant))
        return envelope.seal(await self._key(place.tenant, version), version, place, plain)

    async def open(self, place: Place, sealed: bytes) -> bytes:
        """Open with the data key that the envelope names.

        Raises SealBrokenError, which is an alarm as well; KeyVaultFailedError.
        """
        try:
            version = envelope.key_version_of(sealed)
            return envelope.open_envelope(await self._key(place.tenant, version), place, sealed)
        except SealBrokenError:
            alarm("seal_broken", tenant=place.tenant)
            raise

    async def _key(self, tenant: TenantId, version: int) -> bytes:
        return await self._opened.get((tenant, version), lambda: self._unwrap(tenant, version))

    async def _newest_version(self, tenant: TenantId) -> int:
        key = await self._keys.newest(tenant)
        if key is None:
            raise KeyVaultFailedError
        return key.version

    async def _unwrap(self, tenant: TenantId, version: int) -> bytes:
        key = await self._keys.load(tenant, version)
        if key is None:
            raise KeyVaultFailedError
        data_key = await self._wrapper.unwrap(key.wrapped, key.kek_id)
        if len(data_key) != envelope.KEY_BYTES:
            raise KeyVaultFailedError
        return data_key
