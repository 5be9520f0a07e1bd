"""Revoke every Salesforce grant of a user or a tenant that is being deleted."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from time import monotonic
from typing import Final

from shared.errors import SealBrokenError, UpstreamError
from shared.model import (
    Connection,
    Deletion,
    DiscardedGrant,
    Health,
    JournalledGrant,
    Pending,
    PendingKind,
    Place,
)
from shared.ports import Clock, ConnectionStore, PendingStore, RevocationOutbox, SalesforceLogin
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.refresh_grant import LEASE
from shared.usecases.sealed_grants import SealedGrants

_AT_A_TIME: Final = 8
_BUDGET: Final = timedelta(seconds=60)
"""After this no further grant is begun in a pass: orgs that never answer must not use up the time
of a function, and the 20 hours are looked at between passes."""


class Revocation(Enum):
    """What came of one grant in one pass."""

    REVOKED = "revoked"
    """Salesforce says so, or that it was over already."""
    UNCERTAIN = "uncertain"
    """It does not open and never will, or its token was spent by a refresh that never told."""
    LATER = "later"
    """The org or Key Vault is away, or a refresh is under way: worth another try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeGrants:
    """A revoked connection loses its sealed grant, which is how a pass that comes later knows; what
    is revoked elsewhere goes.

    Each connection is taken by its lease, as a refresh takes it: so no refresh token is revoked
    while another instance is exchanging it for a new one.
    """

    connections: ConnectionStore
    outbox: RevocationOutbox
    pending: PendingStore
    journal: GrantJournal
    grants: SealedGrants
    login: SalesforceLogin
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self, deletion: Deletion) -> Sequence[Revocation]:
        """One pass over all grants, in random order, so that no org that hangs is always in the
        way of the same ones. Raises StorageFailedError."""
        waiting, unreadable_waiting = await self.pending.of_subject(deletion.subject)
        discarded, unreadable_discarded = await self.outbox.of_subject(deletion.subject)
        connected, unreadable = await self.connections.of_subject(deletion.subject)
        journalled, unreadable_journalled = await self.journal.of_subject(deletion.subject)
        continued = {
            row.row_key: entry
            for row in connected
            for entry in journalled
            if (entry.user, entry.org) == (row.user, row.org) and entry.continues(row)
        }
        left = [entry for entry in journalled if entry not in continued.values()]
        kept = [row for row in connected if not _has_lapsed(row)]
        everything: list[Callable[[], Awaitable[Revocation]]] = [
            *(
                lambda row=row: self._parked(row)
                for row in waiting
                if row.kind is PendingKind.PARKED
            ),
            *(lambda row=row: self._discarded(row) for row in discarded),
            *(lambda row=row: self._journalled(row) for row in left),
            *(
                lambda row=row: self._connection(row, deletion.id, continued.get(row.row_key))
                for row in kept
            ),
        ]
        secrets.SystemRandom().shuffle(everything)
        until = self.monotonic() + _BUDGET.total_seconds()
        running = asyncio.Semaphore(_AT_A_TIME)

        async def limited(revoke: Callable[[], Awaitable[Revocation]]) -> Revocation:
            async with running:
                return Revocation.LATER if self.monotonic() >= until else await revoke()

        outcomes = await asyncio.gather(*(limited(revoke) for revoke in everything))
        lost = unreadable_waiting + unreadable_discarded + unreadable_journalled + unreadable
        return [*outcomes, *[Revocation.UNCERTAIN] * lost]

    async def _parked(self, row: Pending) -> Revocation:
        return await self._revoke(row.place, row.sealed)

    async def _discarded(self, row: DiscardedGrant) -> Revocation:
        return await self._revoke(row.place, row.sealed_grant, is_uncertain=row.may_be_spent)

    async def _journalled(self, row: JournalledGrant) -> Revocation:
        return await self._revoke(row.place, row.sealed_grant)

    async def _connection(
        self, row: Connection, holder: str, continued: JournalledGrant | None
    ) -> Revocation:
        """With a journalled grant that continues the row's, that one is alive, and no other."""
        if not row.sealed_grant:
            return Revocation.REVOKED
        now = self.clock()
        if row.is_leased(now) and row.lease_holder != holder:
            return Revocation.LATER
        leased = await self.connections.replace(
            replace(
                row,
                lease_holder=holder,
                lease_until=now + LEASE,
                answer_lost=row.may_be_spent,
            )
        )
        if leased is None:
            return Revocation.LATER
        if continued is not None:
            outcome = await self._revoke(continued.place, continued.sealed_grant)
        else:
            outcome = await self._revoke(
                leased.place, leased.sealed_grant, is_uncertain=leased.answer_lost
            )
        if outcome is not Revocation.REVOKED:
            return outcome
        marked = replace(
            leased, health=Health.REVOKED, sealed_grant=b"", lease_holder=None, lease_until=None
        )
        written = await self.connections.replace(marked)
        return Revocation.LATER if written is None else Revocation.REVOKED

    async def _revoke(
        self, place: Place, sealed: bytes, *, is_uncertain: bool = False
    ) -> Revocation:
        """With `is_uncertain` a token that is over says nothing about its grant."""
        try:
            was_alive = await self.login.revoke(await self.grants.open(place, sealed))
        except SealBrokenError:
            return Revocation.UNCERTAIN
        except UpstreamError:
            return Revocation.LATER
        return Revocation.REVOKED if was_alive or not is_uncertain else Revocation.UNCERTAIN


def _has_lapsed(row: Connection) -> bool:
    """Whether its grant was taken from it when it lapsed, and so is in the outbox or over."""
    return row.health is Health.EXPIRED and not row.sealed_grant
