"""The history of runs: one's own, or for an administrator the whole tenant's."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.errors import InvalidRequestError, KeyVaultFailedError, NotAdminError
from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Caller,
    Period,
    RunFilter,
    RunPage,
    UserId,
    flow_name_place,
)
from shared.ports import Clock, RunStore, TenantStore, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRuns:
    """A page of runs, and the readable names of their Flows by Flow id."""

    page: RunPage
    flow_names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    runs: RunStore
    tenants: TenantStore
    vault: Vault
    clock: Clock

    async def __call__(
        self,
        caller: Caller,
        *,
        whole_tenant: bool,
        after: str | None,
        limit: int,
        user: UserId | None = None,
        period: Period = ALL_TIME,
        where: RunFilter = EVERY_RUN,
    ) -> NamedRuns:
        """Newest first; `user` names one of the whole tenant's.

        Raises NotAdminError, InvalidRequestError (`after` is none of ours, or a user without the
        whole tenant).
        """
        if whole_tenant and not caller.is_admin:
            raise NotAdminError
        if user is not None and not whole_tenant:
            raise InvalidRequestError
        now = self.clock()
        page = await self.runs.page(
            caller.tenant,
            user if whole_tenant else caller.user,
            after=after,
            limit=limit,
            period=period,
            where=replace(where, as_of=now),
        )
        page = replace(page, runs=tuple(run.as_of(now) for run in page.runs))
        return NamedRuns(page=page, flow_names=await self._names(caller, page))

    async def _names(self, caller: Caller, page: RunPage) -> Mapping[str, str]:
        wanted = {run.flow_id for run in page.runs}
        if not wanted:
            return {}
        sealed = await self.tenants.sealed_flow_names(caller.tenant)
        names: dict[str, str] = {}
        for flow_id in wanted & sealed.keys():
            place = flow_name_place(caller.tenant, flow_id)
            with suppress(KeyVaultFailedError):  # the history does not depend on the names
                names[flow_id] = (await self.vault.open(place, sealed[flow_id])).decode()
        return names
