"""Each tenant's data keys: made here, wrapped by Key Vault, kept in memory for ten minutes.

A key that is destroyed is used by no instance any more within seconds: before a key is used, the
list of those that exist is read, unless that was done a moment ago. With it the floor is read: what
an older version sealed does not open, so nobody brings back a key, or a row, of before a rotation.
"""

import asyncio
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Place, TenantId, WrappedKey
from shared.model.places import SealedValue
from shared.ports import Clock, KeyWrapper, TenantKeyStore
from shared.telemetry.events import alarm, event

_CACHE_SECONDS: Final = 600.0
_EXISTING_SECONDS: Final = 5.0
_CACHE_SIZE: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is of a tenant's keys, as it was read a moment ago."""

    keys: Mapping[int, WrappedKey]
    floor: int


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
        self._existing: TimedCache[TenantId, _Known] = TimedCache(
            size=_CACHE_SIZE, seconds=_EXISTING_SECONDS, clock=monotonic_clock
        )

    async def create_key(self, tenant: TenantId) -> int:
        """Give a new tenant its first data key. A tenant that has one keeps it.

        Its version is the time in seconds, so that none is ever used twice, not even by a tenant
        that was deleted and came back.
        """
        existing = await self._keys.all(tenant)
        if existing:
            return existing[-1].version
        return await self._create(tenant, above=0, by=None)

    async def add_key(self, tenant: TenantId, *, by: str | None) -> int:
        """Its version is above all others, also where a clock was ahead. It is unwrapped once
        before anything is sealed by it. Raises KeyVaultFailedError for a tenant without a key."""
        existing = await self._keys.all(tenant)
        if not existing:
            raise KeyVaultFailedError
        return await self._create(tenant, above=existing[-1].version, by=by)

    async def _create(self, tenant: TenantId, *, above: int, by: str | None) -> int:
        now = self._clock()
        data_key = os.urandom(envelope.KEY_BYTES)
        wrapped, kek_id = await self._wrapper.wrap(data_key, by=by)
        key = WrappedKey(
            tenant=tenant,
            version=max(int(now.timestamp()), above + 1),
            wrapped=wrapped,
            kek_id=kek_id,
            created_at=now,
        )
        if above:
            await self._require_unwraps(key, data_key)
        await self._keys.create(key)
        self._existing.forget(tenant)
        event("key_created", tenant=tenant)
        return key.version

    async def newest_kek(self, *, by: str | None) -> str:
        return await self._wrapper.newest(by=by)

    async def rewrap(self, tenant: TenantId, *, by: str | None) -> None:
        """The data keys stay what they are, so nothing that they sealed is touched.

        Wrapping needs the public half alone. A key that cannot unwrap as well, for us, would take
        the data with it: so that is tried first, with all of them, and then they are written.
        """
        anew = [await self._wrapped(key, by) for key in await self._keys.all(tenant)]
        for key in anew:
            await self._keys.rewrap(key)
        self._existing.forget(tenant)
        event("key_rotated", tenant=tenant)

    async def destroy_key(self, tenant: TenantId, version: int) -> None:
        """Not the event `key_destroyed`, by which alerts know that a tenant is gone."""
        await self._keys.destroy_version(tenant, version)
        self._opened.forget((tenant, version))
        self._existing.forget(tenant)
        event("data_key_destroyed", tenant=tenant)

    async def destroy_keys(self, tenant: TenantId) -> None:
        for key in await self._keys.all(tenant):
            self._opened.forget((tenant, key.version))
        await self._keys.destroy(tenant)
        self._existing.forget(tenant)
        event("key_destroyed", tenant=tenant)

    async def seal(self, place: Place, plain: bytes) -> bytes:
        """Seal with the tenant's newest data key. Raises KeyVaultFailedError without one.

        Raises SealBrokenError, an alarm, if the newest is below the floor: the one that was newer
        has been taken away, and what an old one seals would never open.
        """
        known = await self._known(place.tenant)
        if not known.keys:
            raise KeyVaultFailedError
        version = max(known.keys)
        if version < known.floor:
            alarm("seal_broken", tenant=place.tenant)
            raise SealBrokenError
        return envelope.seal(await self._key(place.tenant, version), version, place, plain)

    async def open(self, place: Place, sealed: bytes) -> bytes:
        """Open with the data key that the envelope names.

        Raises SealBrokenError, which is an alarm as well; KeyVaultFailedError.
        """
        try:
            return await self._open(place, sealed)
        except SealBrokenError:
            alarm("seal_broken", tenant=place.tenant)
            raise

    async def reseal(self, value: SealedValue, *, version: int) -> bytes | None:
        tenant, sealed_by = value.tenant, envelope.key_version_of(value.sealed)
        if sealed_by >= version:
            return None
        if sealed_by not in (await self._known(tenant)).keys:
            raise SealBrokenError
        plain = await self._open(value.place, value.sealed)
        return envelope.seal(await self._key(tenant, version), version, value.place, plain)

    async def _open(self, place: Place, sealed: bytes) -> bytes:
        version = envelope.key_version_of(sealed)
        if version < (await self._known(place.tenant)).floor:
            raise SealBrokenError
        return envelope.open_envelope(await self._key(place.tenant, version), place, sealed)

    async def _key(self, tenant: TenantId, version: int) -> bytes:
        """Raises KeyVaultFailedError if the tenant has no keys, or none any more; SealBrokenError
        if it has others: what names this one is not the tenant's."""
        key = (await self._known(tenant)).keys.get(version)
        if key is None:  # made by another instance a moment ago?
            self._existing.forget(tenant)
            known = (await self._known(tenant)).keys
            key = known.get(version)
        if key is None:
            self._opened.forget((tenant, version))
            raise SealBrokenError if known else KeyVaultFailedError
        return await self._opened.get((tenant, version), lambda: self._unwrap(key))

    async def _known(self, tenant: TenantId) -> _Known:
        return await self._existing.get(tenant, lambda: self._read(tenant))

    async def _read(self, tenant: TenantId) -> _Known:
        keys, floor = await asyncio.gather(self._keys.all(tenant), self._keys.floor(tenant))
        return _Known({key.version: key for key in keys}, floor)

    async def _wrapped(self, key: WrappedKey, by: str | None) -> WrappedKey:
        data_key = await self._unwrap(key)
        wrapped, kek_id = await self._wrapper.wrap(data_key, by=by)
        anew = replace(key, wrapped=wrapped, kek_id=kek_id)
        await self._require_unwraps(anew, data_key)
        return anew

    async def _require_unwraps(self, key: WrappedKey, data_key: bytes) -> None:
        """A key that wraps and does not unwrap, for us, would take the data with it."""
        if not hmac.compare_digest(await self._unwrap(key), data_key):
            raise KeyVaultFailedError

    async def _unwrap(self, key: WrappedKey) -> bytes:
        data_key = await self._wrapper.unwrap(key.wrapped, key.kek_id)
        if len(data_key) != envelope.KEY_BYTES:
            raise KeyVaultFailedError
        return data_key
