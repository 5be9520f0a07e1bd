"""What the deletion worker does every minute: take each confirmed deletion as far as it goes."""

import asyncio
import secrets
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
from shared.usecases.rounds import go_through

_BEGIN_WITHIN: Final = timedelta(seconds=60)
_EACH: Final = timedelta(seconds=150)
"""One deletion at most: with the time to begin it, less than the host lets a function run. What it
has done by then stays done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOffDeletions:
    deletions: DeletionStore
    carry_out: CarryOutDeletion
    clock: Clock
    monotonic: Callable[[], float] = monotonic
    each: timedelta = _EACH

    async def __call__(self) -> None:
        """One that fails, or hangs, holds up no other, and is tried again in a minute: they are
        watched first, and then carried out in random order."""
        found = list(await self.deletions.open_ones())
        due: list[Deletion] = []
        for deletion in found:
            watched = await self._watched(deletion, self.clock())
            if watched is not None:
                due.append(watched)
        secrets.SystemRandom().shuffle(due)
        await go_through(due, self._carry_out, budget=_BEGIN_WITHIN, clock=self.monotonic)

    async def _watched(self, deletion: Deletion, now: datetime) -> Deletion | None:
        """The deletion, if there is something to carry out now."""
        try:
            if deletion.state is DeletionState.REQUESTED:
                if deletion.at(DeletionState.REQUESTED) + CONFIRMATION_LIFETIME <= now:
                    await self.deletions.delete(deletion)
                return None
            deletion = await self._alarmed(deletion, now)
        except FlowRunnerError as exc:
            _tell(deletion, exc.code)
        is_due = deletion.next_try_at is None or deletion.next_try_at <= now
        return deletion if is_due else None

    async def _alarmed(self, deletion: Deletion, now: datetime) -> Deletion:
        """At 20 hours somebody has to look: four are left of the promised 24."""
        confirmed_at = deletion.at(DeletionState.CONFIRMED)
        if deletion.is_overdue or now < confirmed_at + REVOCATION_LIMIT:
            return deletion
        alarm("deletion_overdue", tenant=deletion.tenant, step=deletion.state.value)
        return await self.deletions.replace(replace(deletion, is_overdue=True)) or deletion

    async def _carry_out(self, deletion: Deletion) -> None:
        try:
            async with asyncio.timeout(self.each.total_seconds()):
                await self.carry_out(deletion)
        except FlowRunnerError as exc:
            _tell(deletion, exc.code)
        except TimeoutError:
            _tell(deletion, "timeout")


def _tell(deletion: Deletion, code: str) -> None:
    alarm("dependency_failed", tenant=deletion.tenant, step=deletion.state.value, code=code)
