"""Every five minutes: what was left behind is revoked, and what the journal holds finds its way.

Left behind are discarded grants (the outbox), parked ones that nobody has claimed in ten minutes or
whose claim was cut short, and journalled ones whose connection is there no more.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from shared.errors import FlowRunnerError, SealBrokenError, UpstreamError
from shared.model import (
    IDLE_LIMIT,
    DataSubject,
    DiscardedGrant,
    JournalledGrant,
    Pending,
    PendingKind,
    TenantId,
    TenantStatus,
)
from shared.ports import Clock, ConnectionStore, PendingStore, RevocationOutbox, TenantStore
from shared.telemetry.events import alarm, event
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.refresh_grant import RefreshGrant
from shared.usecases.revocation import Revocations
from shared.usecases.rounds import go_through
from shared.usecases.sealed_grants import SealedGrants

PARKED_PATIENCE: Final = timedelta(hours=48)
"""How long a parked grant that cannot be revoked is kept for another try, and a journalled one that
cannot be opened: longer than a deletion takes, which has to find it."""

_JOURNAL_UNTIL: Final = timedelta(seconds=45)
_READ_UNTIL: Final = timedelta(seconds=105)
_DUE_UNTIL: Final = timedelta(seconds=180)
"""Until when, from the start of the run, something of each is begun. What has begun may take
longer, and leaves less to what comes after it: the host ends a function after four minutes
(host.json)."""

_MOST_OF_A_TENANT: Final = 50
"""In one run: whoever leaves hundreds behind does not keep others waiting."""

_CLAIM: Final = timedelta(minutes=5)
"""Longer than the host lets a function run: whoever claimed it that long ago is at it no more."""

_JOURNAL_PAUSE: Final = timedelta(minutes=3)
"""Longer than a lease counts: before that, the row carries the lease of whoever wrote the entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOffRevocations:
    tenants: TenantStore
    connections: ConnectionStore
    outbox: RevocationOutbox
    pending: PendingStore
    journal: GrantJournal
    grants: SealedGrants
    refresh: RefreshGrant
    revocations: Revocations
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self) -> None:
        """The journal first: what is in it, somebody waits for. Then what is due of all tenants.
        All in random order, a few at a time: no tenant and no org that hangs is always in the way,
        and what there was no time for has its turn in another run."""
        begun = self.monotonic()
        names = await self._journal_names()
        await self._go_through(names, self._journalled, begun, _JOURNAL_UNTIL)
        due: list[DiscardedGrant | Pending] = []
        done: list[bool] = []

        async def read(tenant: TenantId) -> None:
            due.extend(await self._due(tenant))

        async def one(row: DiscardedGrant | Pending) -> None:
            done.append(await self._is_done(row))

        await self._go_through(await self.tenants.ids(), read, begun, _READ_UNTIL)
        await self._go_through(due, one, begun, _DUE_UNTIL)
        if due:
            event("revocations", count=sum(done), failed=len(due) - sum(done))

    async def _go_through[T](
        self, items: Sequence[T], do: Callable[[T], Awaitable[None]], begun: float, until: timedelta
    ) -> None:
        budget = until - timedelta(seconds=self.monotonic() - begun)
        mixed = secrets.SystemRandom().sample(items, len(items))
        await go_through(mixed, do, budget=budget, clock=self.monotonic)

    async def _journal_names(self) -> Sequence[str]:
        try:
            return await self.journal.names()
        except UpstreamError as exc:
            alarm("dependency_failed", step="revocation_worker", code=exc.code)
            return []

    async def _due(self, tenant_id: TenantId) -> Sequence[DiscardedGrant | Pending]:
        """What waits of one tenant; of one that is being deleted nothing, because that revokes."""
        try:
            tenant = await self.tenants.load(tenant_id)
            if tenant is None or tenant.status is TenantStatus.DELETING:
                return []
            subject, now = DataSubject(tenant=tenant_id), self.clock()
            discarded, unreadable = await self.outbox.of_subject(subject)
            waiting, _ = await self.pending.of_subject(subject)  # of those the sweep tells
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=tenant_id, step="revocation_worker", code=exc.code)
            return []
        if unreadable:
            event("row_unreadable", tenant=tenant_id, count=unreadable, step="outbox")
        parked = (row for row in waiting if row.kind is PendingKind.PARKED)
        due: list[DiscardedGrant | Pending] = [
            *(entry for entry in discarded if entry.next_try_at <= now),
            *(row for row in parked if row.expires_at <= now),
        ]
        return secrets.SystemRandom().sample(due, min(len(due), _MOST_OF_A_TENANT))

    async def _is_done(self, row: DiscardedGrant | Pending) -> bool:
        """Whether nothing more is to be done about it."""
        now = self.clock()
        try:
            if isinstance(row, Pending):
                return await self._is_abandoned(row, now)
            return await self._is_worked_off(row, now)
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=row.tenant, step="revocation_worker", code=exc.code)
            return False

    async def _is_worked_off(self, entry: DiscardedGrant, now: datetime) -> bool:
        if await self.revocations.work_off(entry):
            return True
        if entry.discarded_at + IDLE_LIMIT <= now:  # it has ended by itself, as a rule
            await self.outbox.delete(entry)
            _tell_given_up(entry)
            return True
        await self.outbox.replace(
            replace(entry, attempts=entry.attempts + 1, next_try_at=now + entry.pause())
        )
        return False

    async def _is_abandoned(self, row: Pending, now: datetime) -> bool:
        """Claim it, so that nobody activates it now; look whether it was; and if not, revoke."""
        if row.claimed_at is None:
            if await self.pending.claim(row.tenant, row.digest, at=now) is None:
                return True  # somebody else is at it
        elif row.claimed_at + _CLAIM > now:
            return False
        subject = DataSubject(tenant=row.tenant, user=row.user)
        connected, _ = await self.connections.of_subject(subject)
        is_connected = any(each.consent == row.digest for each in connected)
        if is_connected or await self._is_discarded(row):
            await self.pending.delete(row)
            return True
        if row.expires_at + PARKED_PATIENCE <= now:
            await self.pending.delete(row)
            _tell_given_up(row)
            return True
        return False

    async def _is_discarded(self, row: Pending) -> bool:
        try:
            grant = await self.grants.open(row.place, row.sealed)
        except SealBrokenError:
            return False  # its key may be mended, in the time that it has
        return await self.revocations.discard(grant, row.tenant, row.user)

    async def _journalled(self, name: str) -> None:
        try:
            entry = await self.journal.at(name)  # which tells of one that cannot be read
        except UpstreamError as exc:
            alarm("dependency_failed", step="journal", code=exc.code)
            return
        if entry is not None and entry.written_at + _JOURNAL_PAUSE <= self.clock():
            await self._find_its_way(entry)

    async def _find_its_way(self, entry: JournalledGrant) -> None:
        """Where the connection still waits for it, a refresh adopts it; else it is in nobody's
        hands, or written long ago."""
        try:
            row = await self.connections.load(entry.tenant, entry.user, entry.org)
            if row is not None and entry.continues(row) and row.health.action != "reconnect":
                await self.refresh(
                    entry.tenant, entry.user, entry.org, stale_generation=row.generation
                )
                return
            if (row is not None and entry.is_written(row)) or await self._is_off_the_journal(entry):
                await self.journal.forget(entry)
        except FlowRunnerError as exc:
            alarm("dependency_failed", tenant=entry.tenant, step="journal", code=exc.code)

    async def _is_off_the_journal(self, entry: JournalledGrant) -> bool:
        """Whether the grant, which is in nobody's hands, is revoked, in the outbox, or given up."""
        try:
            grant = await self.grants.open(entry.place, entry.sealed_grant)
        except SealBrokenError:
            if entry.written_at + PARKED_PATIENCE > self.clock():
                return False
            _tell_given_up(entry)
            return True
        return await self.revocations.discard(grant, entry.tenant, entry.user)


def _tell_given_up(left: DiscardedGrant | Pending | JournalledGrant) -> None:
    """Whether it lives on at Salesforce nobody knows, and nobody tries any more."""
    event("revocation_failed", tenant=left.tenant, user=left.user, outcome="given_up")
