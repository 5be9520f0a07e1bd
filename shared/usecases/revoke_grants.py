"""Revoke every Salesforce grant of a user or a tenant that is being deleted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from shared.errors import SealBrokenError, UpstreamError
from shared.model import Connection, Deletion, Grant, Health, Pending, PendingKind, Place
from shared.ports import Clock, ConnectionStore, PendingStore, SalesforceLogin
from shared.usecases.refresh_grant import LEASE
from shared.usecases.sealed_grants import SealedGrants

_AT_A_TIME: Final = 8


class Revocation(Enum):
    """What came of one grant in one pass."""

    REVOKED = "revoked"
    """Salesforce says so, or that it was over already."""
    UNREADABLE = "unreadable"
    """It does not open, and never will: nobody can revoke it, or use it."""
    LATER = "later"
    """The org or Key Vault is away, or a refresh is under way: worth another try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeGrants:
    """A revoked connection loses its sealed grant, which is how a pass that comes later knows.

    Each connection is taken by its lease, as a refresh takes it: so no refresh token is revoked
    while another instance is exchanging it for a new one.
    """

    connections: ConnectionStore
    pending: PendingStore
    grants: SealedGrants
    login: SalesforceLogin
    clock: Clock

    async def __call__(self, deletion: Deletion) -> Sequence[Revocation]:
        """One pass over all grants. Raises StorageFailedError."""
        running = asyncio.Semaphore(_AT_A_TIME)

        async def limited(row: Connection | Pending) -> Revocation:
            async with running:
                if isinstance(row, Connection):
                    return await self._connection(row, deletion.id)
                return await self._revoke(row.place, row.sealed)

        waiting, _ = await self.pending.of_subject(deletion.subject)
        parked = [row for row in waiting if row.kind is PendingKind.PARKED]
        connected = await self.connections.of_subject(deletion.subject)
        everything: list[Connection | Pending] = [*parked, *connected]
        return await asyncio.gather(*(limited(row) for row in everything))

    async def _connection(self, row: Connection, holder: str) -> Revocation:
        if not row.sealed_grant:
            return Revocation.REVOKED
        now = self.clock()
        is_being_refreshed = row.lease_until is not None and row.lease_until > now
        if is_being_refreshed and row.lease_holder != holder:
            return Revocation.LATER
        leased = await self.connections.replace(
            replace(row, lease_holder=holder, lease_until=now + LEASE)
        )
        if leased is None:
            return Revocation.LATER
        outcome = await self._revoke(leased.place, leased.sealed_grant)
        if outcome is not Revocation.REVOKED:
            return outcome
        marked = replace(
            leased, health=Health.REVOKED, sealed_grant=b"", lease_holder=None, lease_until=None
        )
        written = await self.connections.replace(marked)
        return Revocation.LATER if written is None else Revocation.REVOKED

    async def _revoke(self, place: Place, sealed: bytes) -> Revocation:
        try:
            grant: Grant = await self.grants.open(place, sealed)
            await self.login.revoke(grant)
        except SealBrokenError:
            return Revocation.UNREADABLE
        except UpstreamError:
            return Revocation.LATER
        return Revocation.REVOKED
