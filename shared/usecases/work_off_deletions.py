"""What the deletion worker does every minute: take each confirmed deletion as far as it goes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

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

_AT_A_TIME: Final = 4
_BUDGET: Final = timedelta(minutes=3)
"""After this no further deletion is begun; the host ends a function after four minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOffDeletions:
    deletions: DeletionStore
    carry_out: CarryOutDeletion
    clock: Clock
    monotonic: Callable[[], float] = monotonic

    async def __call__(self) -> None:
        """One that fails holds up no other, and is tried again in a minute."""
        until = self.monotonic() + _BUDGET.total_seconds()
        running = asyncio.Semaphore(_AT_A_TIME)

        async def limited(deletion: Deletion) -> None:
            async with running:
                if self.monotonic() < until:
                    await self._one(deletion)

        found = await self.deletions.open_ones()
        oldest_first = sorted(found, key=lambda one: one.at(DeletionState.REQUESTED))
        await asyncio.gather(*(limited(deletion) for deletion in oldest_first))

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
