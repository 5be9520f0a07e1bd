"""Call an org as a user: find the connection, use its access token, refresh it at most once.

Salesforce does not say when an access token expires; a refused one (401) tells. Nothing was
carried out then, so one refresh and one more try are safe, even for a Flow.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from shared.cache import TimedCache
from shared.errors import (
    AccessRefusedError,
    NotConnectedError,
    OrgAmbiguousError,
    OrgNotAllowedError,
    UpstreamError,
)
from shared.model import Access, Caller, OrgId, TenantId, UserId
from shared.ports import Clock, ConnectionStore, TenantStore
from shared.usecases.refresh_grant import access_of, usable
from shared.usecases.sealed_grants import SealedGrants

_CACHE_SECONDS: Final = 60.0
_CACHE_SIZE: Final = 2_000


class Refresh(Protocol):
    """As `RefreshGrant`, which is not made before it is needed."""

    async def __call__(
        self, tenant: TenantId, user: UserId, org: OrgId, *, stale_generation: int
    ) -> Access: ...


type _Key = tuple[TenantId, UserId, OrgId]


def _new_cache() -> TimedCache[_Key, Access]:
    return TimedCache(size=_CACHE_SIZE, seconds=_CACHE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgAccess:
    """Opened access tokens stay in memory for a minute at most, and so does what the tenant allows.

    Whoever is connected to an org that is not allowed any more can still disconnect it: that does
    not go through here.
    """

    tenants: TenantStore
    connections: ConnectionStore
    grants: SealedGrants
    refresh: Refresh
    clock: Clock
    _opened: TimedCache[_Key, Access] = field(default_factory=_new_cache)
    _refreshes: TimedCache[tuple[_Key, int], Access] = field(
        default_factory=lambda: TimedCache(size=_CACHE_SIZE, seconds=0)
    )
    """One refresh at a time for each stale access; its result is not kept, for a connection made
    anew counts its generations from one again."""
    _refused: TimedCache[_Key, int] = field(
        default_factory=lambda: TimedCache(size=_CACHE_SIZE, seconds=_CACHE_SECONDS)
    )
    """The generation of access that was refused when it was fresh."""
    _noted: TimedCache[_Key, str] = field(
        default_factory=lambda: TimedCache(size=10 * _CACHE_SIZE, seconds=86_400)
    )
    """The day for which the use of a connection has been noted."""

    async def choose(self, caller: Caller, org: OrgId | None) -> OrgId:
        """The org meant. Raises NotConnectedError, OrgAmbiguousError (several, and none named).

        Read each time: one that was remembered may have been disconnected, or have got a second
        beside it, and a Flow would run in an org that nobody meant.
        """
        if org is not None:
            return org
        rows = await self.connections.of_user(caller.tenant, caller.user)
        if not rows:
            raise NotConnectedError
        if len(rows) > 1:
            raise OrgAmbiguousError
        return rows[0].org

    async def call[T](self, caller: Caller, org: OrgId, use: Callable[[Access], Awaitable[T]]) -> T:
        """Do something with access to the org.

        Raises NotConnectedError, OrgNotAllowedError, and what `use` raises.
        """
        key = (caller.tenant, caller.user, org)
        answer = await self._served(key, use)
        self._refused.forget(key)
        await self._note_use(key)
        return answer

    async def _served[T](self, key: _Key, use: Callable[[Access], Awaitable[T]]) -> T:
        access = await self._opened.get(key, lambda: self._open(key))
        try:
            return await use(access)
        except AccessRefusedError:
            self._opened.forget(key)
            if self._refused.peek(key) == access.generation:
                raise  # it was refused when it was fresh: not a matter of its age
            return await self._again(key, access.generation, use)

    async def _again[T](self, key: _Key, stale: int, use: Callable[[Access], Awaitable[T]]) -> T:
        """With fresh access: ours, if that of another instance has aged as well meanwhile.

        Fresh access that is refused is remembered: such an org would cost a rotation a request.
        """
        access = await self._refreshed(key, stale)
        try:
            return await use(access)
        except AccessRefusedError:
            if access.is_fresh:
                self._refused.put(key, access.generation)
                raise
        access = await self._refreshed(key, access.generation)
        return await use(access)

    async def _refreshed(self, key: _Key, stale: int) -> Access:
        access = await self._refreshes.get((key, stale), lambda: self._refresh(key, stale))
        self._opened.put(key, access)
        return access

    async def _refresh(self, key: _Key, stale: int) -> Access:
        """What comes of it is kept for another minute, so the tenant is asked again, too."""
        await self._require_allowed(key)
        return await self.refresh(*key, stale_generation=stale)

    def forget(self, caller: Caller, org: OrgId) -> None:
        """The connection is new, or no more: what is in memory is out of date."""
        key = (caller.tenant, caller.user, org)
        self._opened.forget(key)
        self._refused.forget(key)

    async def _open(self, key: _Key) -> Access:
        row = usable(await self.connections.load(*key))
        await self._require_allowed(key)
        return access_of(row, await self.grants.open(row.place, row.sealed_grant))

    async def _require_allowed(self, key: _Key) -> None:
        tenant_id, _, org = key
        tenant = await self.tenants.load(tenant_id)
        if tenant is None or not tenant.settings.allows(org):
            raise OrgNotAllowedError

    async def _note_use(self, key: _Key) -> None:
        """Remember the day of the last use, once a day. What was done stays done if this fails."""
        today = self.clock().date().isoformat()
        if self._noted.peek(key) == today:
            return
        with suppress(UpstreamError):
            row = await self.connections.load(*key)
            if row is not None and row.last_used_day != today:
                await self.connections.replace(replace(row, last_used_day=today))
            self._noted.put(key, today)
