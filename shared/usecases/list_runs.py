"""The history of runs: one's own, or for an administrator the whole tenant's."""

from dataclasses import dataclass, replace

from shared.errors import NotAdminError
from shared.model import Caller, RunPage
from shared.ports import Clock, RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    runs: RunStore
    clock: Clock

    async def __call__(
        self, caller: Caller, *, whole_tenant: bool, after: str | None, limit: int
    ) -> RunPage:
        """Newest first. Raises NotAdminError, InvalidRequestError (`after` is none of ours)."""
        if whole_tenant and not caller.is_admin:
            raise NotAdminError
        user = None if whole_tenant else caller.user
        page = await self.runs.page(caller.tenant, user, after=after, limit=limit)
        now = self.clock()
        return replace(page, runs=tuple(run.as_of(now) for run in page.runs))
