"""Whether sessions still hold, read from the store and remembered for five seconds.

Reading takes five seconds at most, and what was read is remembered for five more, so an ended
session is noticed by every instance within ten: the promise. With a store that answers in time it
is five. That is so for each of the two rows; a tenant's serves all of its users.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.errors import StorageFailedError
from shared.model import Standing, Tenant, TenantId, UserId
from shared.ports import TenantStore, UserStore

_CACHE_SECONDS: Final = 5.0
_READ_SECONDS: Final = 5.0
_MOST_TENANTS: Final = 2_000
_MOST_USERS: Final = 20_000


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
        self._known_tenants: TimedCache[TenantId, Tenant] = TimedCache(
            size=_MOST_TENANTS, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )
        self._known_epochs: TimedCache[tuple[TenantId, UserId], int] = TimedCache(
            size=_MOST_USERS, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )

    async def of(self, tenant: TenantId, user: UserId) -> Standing | None:
        """None: no such user. Raises StorageFailedError."""
        try:
            await self._epoch(tenant, user)
            row = await self._known_tenants.get(tenant, lambda: self._read_tenant(tenant))
            # Once more: reading the row may have taken longer than the epoch was good for.
            epoch = await self._epoch(tenant, user)
        except LookupError:
            return None
        except TimeoutError as exc:
            raise StorageFailedError from exc
        return Standing(tenant_is_active=row.is_active, tenant_epoch=row.epoch, user_epoch=epoch)

    def forget(self, tenant: TenantId, user: UserId) -> None:
        self._known_tenants.forget(tenant)
        self._known_epochs.forget((tenant, user))

    async def _epoch(self, tenant: TenantId, user: UserId) -> int:
        return await self._known_epochs.get((tenant, user), lambda: self._read_epoch(tenant, user))

    async def _read_tenant(self, tenant: TenantId) -> Tenant:
        """Raises LookupError where there is none: that is not remembered.

        Raises TimeoutError as well: what took longer is too old to be remembered.
        """
        async with asyncio.timeout(_READ_SECONDS):
            row = await self._tenants.load(tenant)
        if row is None:
            raise LookupError
        return row

    async def _read_epoch(self, tenant: TenantId, user: UserId) -> int:
        """Raises LookupError and TimeoutError, as above."""
        async with asyncio.timeout(_READ_SECONDS):
            row = await self._users.load(tenant, user)
        if row is None:
            raise LookupError
        return row.epoch
