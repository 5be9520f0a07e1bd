"""The table `runs` in memory."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.errors import (
    IdempotencyKeyReusedError,
    InvalidRequestError,
    StorageFailedError,
)
from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Idempotency,
    Period,
    Run,
    RunFilter,
    RunPage,
    TenantId,
    UserId,
)
from tests.fakes.faults import Faults
from tests.fakes.gates import MemoryGates


class MemoryRunStore:
    """Satisfies `ports.RunStore`."""

    def __init__(self, gates: MemoryGates) -> None:
        self.faults = Faults()
        self._gates = gates
        self.rows: dict[tuple[TenantId, str], Run] = {}
        self.looks_at: int | None = None
        """How many runs one page looks through, as the table service ends its search; None: all."""
        self.keys: dict[tuple[TenantId, str], tuple[Idempotency, str, UserId, datetime]] = {}

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        async with self.faults.call("start"):
            self._gates.require(run.tenant, run.user)
            if idempotency is not None:
                key = (run.tenant, idempotency.key_digest)
                mine = (idempotency, run.id, run.user, run.started_at)
                first, run_id, *_ = self.keys.setdefault(key, mine)
                if first.body_digest != idempotency.body_digest:
                    raise IdempotencyKeyReusedError
                if run_id != run.id:
                    earlier = self.rows.get((run.tenant, run_id))
                    if earlier is None:
                        raise StorageFailedError
                    return earlier
            self.rows.setdefault((run.tenant, run.id), run)
            return None

    async def finish(self, run: Run) -> None:
        async with self.faults.call("finish"):
            if (run.tenant, run.id) in self.rows:
                self.rows[run.tenant, run.id] = run

    async def page(
        self,
        tenant: TenantId,
        user: UserId | None,
        *,
        after: str | None,
        limit: int,
        period: Period = ALL_TIME,
        where: RunFilter = EVERY_RUN,
    ) -> RunPage:
        async with self.faults.call("page"):
            start = None if after is None else _position_in(after)
            own = [run for (owner, _), run in self.rows.items() if owner == tenant]
            ahead = [run for run in own if start is None or _position(run) > start]
            seen = sorted(ahead, key=_position)[: self.looks_at]
            wanted = [
                run
                for run in seen
                if _is_within(period, run) and user in (None, run.user) and where.holds(run)
            ]
            if len(wanted) > limit:
                return RunPage(runs=tuple(wanted[:limit]), next=_token(wanted[limit - 1]))
            goes_on = len(seen) < len(ahead)
            return RunPage(runs=tuple(wanted), next=_token(seen[-1]) if goes_on else None)

    async def keys_used(self, tenant: TenantId, user: UserId) -> Sequence[datetime]:
        async with self.faults.call("keys_used"):
            used = [
                created_at
                for (owner, _), (_, _, who, created_at) in self.keys.items()
                if (owner, who) == (tenant, user)
            ]
            return sorted(used, reverse=True)

    def only(self) -> Run:
        """The one run that there is."""
        (run,) = self.rows.values()
        return replace(run)


def _is_within(period: Period, run: Run) -> bool:
    told = run.started_at.replace(microsecond=run.started_at.microsecond // 1000 * 1000)
    is_early = period.begin is not None and told < period.begin
    return not is_early and (period.end is None or told < period.end)


def _position(run: Run) -> tuple[float, str]:
    """Newest first; runs of the same millisecond by their id."""
    return (-(run.started_at.timestamp() * 1000 // 1), run.id)


def _token(run: Run) -> str:
    return base64.urlsafe_b64encode(f"{run.started_at.isoformat()}|{run.id}".encode()).decode()


def _position_in(token: str) -> tuple[float, str]:
    """Raises InvalidRequestError for what `_token` did not make."""
    try:
        started, _, run_id = base64.urlsafe_b64decode(token.encode()).decode().partition("|")
        return (-(datetime.fromisoformat(started).timestamp() * 1000 // 1), run_id)
    except (ValueError, binascii.Error):
        raise InvalidRequestError from None
