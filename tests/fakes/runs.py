"""The table `runs` in memory."""

import base64
import binascii
from dataclasses import replace
from datetime import datetime

from shared.errors import IdempotencyKeyReusedError, InvalidRequestError
from shared.model import ALL_TIME, Idempotency, Period, Run, RunPage, TenantId, UserId
from tests.fakes.faults import Faults
from tests.fakes.gates import MemoryGates


class MemoryRunStore:
    """Satisfies `ports.RunStore`."""

    def __init__(self, gates: MemoryGates) -> None:
        self.faults = Faults()
        self._gates = gates
        self.rows: dict[tuple[TenantId, str], Run] = {}
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
                    return self.rows[run.tenant, run_id]
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
    ) -> RunPage:
        async with self.faults.call("page"):
            start = None if after is None else _position_in(after)
            own = [run for (owner, _), run in self.rows.items() if owner == tenant]
            wanted = [
                run for run in own if _is_within(period, run) and (user is None or run.user == user)
            ]
            ahead = [run for run in wanted if start is None or _position(run) > start]
            ahead.sort(key=_position)
            page = tuple(ahead[:limit])
            more = len(ahead) > limit
            return RunPage(runs=page, next=_token(page[-1]) if more else None)

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
