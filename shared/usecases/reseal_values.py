"""One pass over everything that is sealed for a tenant: what an older data key sealed is sealed by
the newest. Everything goes on being read and written meanwhile."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import batched
from time import monotonic
from typing import Final

from shared.errors import SealBrokenError
from shared.model import TenantId
from shared.model.places import SealedValue
from shared.ports import SealedValues, Vault
from shared.telemetry.events import alarm, event

_AT_A_TIME: Final = 16


class _Outcome(StrEnum):
    NEWEST = "newest"
    RESEALED = "resealed"
    LOST = "lost"
    BROKEN = "broken"


@dataclass(slots=True, kw_only=True)
class Resealed:
    """What a pass has done. `lost`: somebody else wrote the row meanwhile, or deleted it; the next
    pass looks again. `broken`: does not open. `newest`: there was nothing to do."""

    newest: int = 0
    resealed: int = 0
    lost: int = 0
    broken: int = 0
    is_whole: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing that opens is sealed by an older key.

        Where most values do not open, it is their key that is broken, perhaps another tenant's in
        its place. It may be mended, and then they open: so that is not clean.
        """
        is_the_key = self.broken > self.newest
        return self.is_whole and not self.resealed and not self.lost and not is_the_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ResealValues:
    vault: Vault
    sealed: SealedValues
    monotonic: Callable[[], float] = monotonic

    async def __call__(self, tenant: TenantId, version: int, *, within: timedelta) -> Resealed:
        """Seal by this version, the newest. What there is no time for waits for the next pass.

        Raises KeyVaultFailedError, StorageFailedError: what was done stays done.
        """
        until = self.monotonic() + within.total_seconds()
        done = Resealed()
        try:
            done.is_whole = await self._go_through(tenant, version, until, done)
        finally:
            event(
                "values_resealed",
                tenant=tenant,
                count=done.resealed,
                failed=done.broken,
                outcome="whole" if done.is_whole else "partly",
            )
        if done.broken:
            alarm("seal_broken", tenant=tenant, count=done.broken, step="key_rotation")
        return done

    async def _go_through(
        self, tenant: TenantId, version: int, until: float, done: Resealed
    ) -> bool:
        """Whether all of it was looked at."""
        async for page in self.sealed.pages(tenant):
            for some in batched(page, _AT_A_TIME, strict=False):
                if self.monotonic() >= until:
                    return False
                outcomes = await asyncio.gather(
                    *(self._one(value, version) for value in some), return_exceptions=True
                )
                done.newest += outcomes.count(_Outcome.NEWEST)
                done.resealed += outcomes.count(_Outcome.RESEALED)
                done.lost += outcomes.count(_Outcome.LOST)
                done.broken += outcomes.count(_Outcome.BROKEN)
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
        return True

    async def _one(self, value: SealedValue, version: int) -> _Outcome:
        try:
            anew = await self.vault.reseal(value, version=version)
        except SealBrokenError:
            return _Outcome.BROKEN
        if anew is None:
            return _Outcome.NEWEST
        is_written = await self.sealed.replace(value, anew)
        return _Outcome.RESEALED if is_written else _Outcome.LOST
