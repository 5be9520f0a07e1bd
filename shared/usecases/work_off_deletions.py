"""What the deletion worker does every minute: take each confirmed deletion as far as it goes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic

from shared.errors import FlowRunnerError
from shared.model import (
    CONFIRMATION_LIFETIME,
    REVOCATION_LIMIT,
    Deletion,
    DeletionState,
)
from shared.ports import Clock, DeletionStore
from shared.telemetry.events import alarm
from shared.usecases.carry_out_deletion import CarryOutDeletion
from shared.usecases.rounds import go_through


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOffDeletions:
    deletions: DeletionStore
    carry_out: CarryOutDeletion
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self) -> None:
        """One that fails holds up no other, and is tried again in a minute."""
        found = await self.deletions.open_ones()
        oldest_first = sorted(found, key=lambda one: one.at(DeletionState.REQUESTED))
        await go_through(oldest_first, self._one, clock=self.monotonic)

    async def _one(self, deletion: Deletion) -> None:
        now = self.clock()
        try:
            if deletion.state is DeletionState.REQUESTED:
                await self._forget_if_unconfirmed(deletion, now)
                return
            deletion = await self._watched(deletion, now)
            if deletion.next_try_at is None or deletion.next_try_at <= now:
                await self.carry_out(deletion)
        except FlowRunnerError as exc:
            alarm(
                "dependency_failed",
                tenant=deletion.tenant,
                step=deletion.state.value,
                code=exc.code,
            )

    async def _forget_if_unconfirmed(self, deletion: Deletion, now: datetime) -> None:
        if deletion.at(DeletionState.REQUESTED) + CONFIRMATION_LIFETIME <= now:
            await self.deletions.delete(deletion)

    async def _watched(self, deletion: Deletion, now: datetime) -> Deletion:
        """At 20 hours somebody has to look: four are left of the promised 24."""
        confirmed_at = deletion.at(DeletionState.CONFIRMED)
        if deletion.is_overdue or now < confirmed_at + REVOCATION_LIMIT:
            return deletion
        alarm("deletion_overdue", tenant=deletion.tenant, step=deletion.state.value)
        return await self.deletions.replace(replace(deletion, is_overdue=True)) or deletion
