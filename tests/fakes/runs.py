"""The table `runs` in memory."""

import base64
import binascii
from dataclasses import replace
from datetime import datetime

from shared.errors import IdempotencyKeyReusedError, InvalidRequestError
from shared.model import Idempotency, Run, RunPage, TenantId, UserId
from tests.fakes.faults import Faults


class MemoryRunStore:
    """Satisfies `ports.RunStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.rows: dict[tuple[TenantId, str], Run] = {}
        self.keys: dict[tuple[TenantId, str], tuple[Idempotency, str]] = {}

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        async with self.faults.call("start"):
            if idempotency is not None:
                key = (run.tenant, idempotency.key_digest)
                first, run_id = self.keys.setdefault(key, (idempotency, run.id))
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
        self, tenant: TenantId, user: UserId | None, *, after: str | None, limit: int
    ) -> RunPage:
        async with self.faults.call("page"):
            start = None if after is None else _position_in(after)
            own = [run for (owner, _), run in self.rows.items() if owner == tenant]
            wanted = [run for run in own if user is None or run.user == user]
            ahead = [run for run in wanted if start is None or _position(run) > start]
            ahead.sort(key=_position)
            page = tuple(ahead[:limit])
            more = len(ahead) > limit
            return RunPage(runs=page, next=_token(page[-1]) if more else None)

    def only(self) -> Run:
        """The one run that there is."""
        (run,) = self.rows.values()
        return replace(run)


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
