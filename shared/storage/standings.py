"""Whether sessions still hold, read from the store and remembered for five seconds.

Reading takes five seconds at most, and what was read is remembered for five more, so an ended
session is noticed by every instance within ten: the promise. With a store that answers in time it
is five.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.errors import StorageFailedError
from shared.model import Standing, TenantId, UserId
from shared.ports import TenantStore, UserStore

_CACHE_SECONDS: Final = 5.0
_READ_SECONDS: Final = 5.0
_CACHE_SIZE: Final = 20_000


class StoredStandings:
    """Satisfies `ports.Standings`."""

    def __init__(
        self,
        *,
        tenants: TenantStore,
        users: UserStore,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._tenants, self._users = tenants, users
        self._cache: TimedCache[tuple[TenantId, UserId], Standing] = TimedCache(
            size=_CACHE_SIZE, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )

    async def of(self, tenant: TenantId, user: UserId) -> Standing | None:
        """None: no such user. Raises StorageFailedError."""
        try:
            return await self._cache.get((tenant, user), lambda: self._read(tenant, user))
        except LookupError:
            return None
        except TimeoutError as exc:
            raise StorageFailedError from exc

    def forget(self, tenant: TenantId, user: UserId) -> None:
        self._cache.forget((tenant, user))

    async def _read(self, tenant: TenantId, user: UserId) -> Standing:
        """Raises LookupError where there is no such tenant or user: that is not remembered.

        Raises TimeoutError as well: what took longer is too old to be remembered.
        """
        async with asyncio.timeout(_READ_SECONDS):
            tenant_row = await self._tenants.load(tenant)
            user_row = await self._users.load(tenant, user)
        if tenant_row is None or user_row is None:
            raise LookupError
        return Standing(
            tenant_is_active=tenant_row.is_active,
            tenant_epoch=tenant_row.epoch,
            user_epoch=user_row.epoch,
        )
