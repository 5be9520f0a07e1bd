"""The tenant's whole history of runs, signed, for the administrator's own archive."""

import asyncio
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Final

from shared.errors import KeyVaultFailedError, NotAdminError
from shared.jws import EXPORT_TYP, DetachedJws
from shared.model import Caller, Period, Run, TenantId, flow_name_place
from shared.ports import Clock, RunStore, Signer, TenantStore, Vault
from shared.run_forms import RunForm
from shared.telemetry.events import event

_RUNS_A_PAGE: Final = 249
"""The store reads one more, to know if there is a next page, and a page is read in one go: the
thousand that the table service would give keep all others waiting for a tenth of a second."""

_RUNS_AT_A_TIME: Final = 100
"""Written before others get their turn: a millisecond or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExport:
    """What was written: its signature (a detached JWS, RFC 7797), and as of when it holds."""

    signature: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRuns:
    runs: RunStore
    tenants: TenantStore
    vault: Vault
    signer: Signer
    clock: Clock

    async def __call__(
        self, caller: Caller, *, period: Period, form: RunForm, write: Callable[[bytes], object]
    ) -> RunExport:
        """Write the runs of the caller's tenant, newest first, piece by piece; nothing is held.

        Raises NotAdminError, KeyVaultFailedError: without a signature there is no export.
        """
        if not caller.is_admin:
            raise NotAdminError
        as_of = self.clock()
        key = await self.signer.newest()
        signed = DetachedJws(typ=EXPORT_TYP, kid=key.kid)

        def put(piece: bytes) -> None:
            signed.update(piece)
            write(piece)

        put(form.head)
        count = await self._put_runs(caller.tenant, period, form, put, as_of)

        signature = signed.signed(await self.signer.sign(key, signed.digest()))
        event("exported", tenant=caller.tenant, user=caller.user, count=count)
        return RunExport(signature=signature, as_of=as_of)

    async def _put_runs(
        self,
        tenant: TenantId,
        period: Period,
        form: RunForm,
        put: Callable[[bytes], None],
        as_of: datetime,
    ) -> int:
        """How many there were."""
        count = 0
        names = _FlowNames(tenant, self.tenants, self.vault)
        async for page in self._pages(tenant, period):
            await names.learn({run.flow_id for run in page})
            for runs in batched(page, _RUNS_AT_A_TIME, strict=False):
                put(form.lines((run.as_of(as_of) for run in runs), names.known))
                await asyncio.sleep(0)
            count += len(page)
        return count

    async def _pages(self, tenant: TenantId, period: Period) -> AsyncIterator[tuple[Run, ...]]:
        after: str | None = None
        while True:
            page = await self.runs.page(
                tenant, None, after=after, limit=_RUNS_A_PAGE, period=period
            )
            yield page.runs
            if page.next is None:
                return
            after = page.next


class _FlowNames:
    """The readable names of a tenant's Flows: read once, each opened when it is first met."""

    def __init__(self, tenant: TenantId, tenants: TenantStore, vault: Vault) -> None:
        self._tenant, self._tenants, self._vault = tenant, tenants, vault
        self._sealed: dict[str, bytes] | None = None
        self.known: dict[str, str] = {}

    async def learn(self, flow_ids: AbstractSet[str]) -> None:
        """Open what is not known yet. The history does not depend on the names."""
        if self._sealed is None:
            self._sealed = dict(await self._tenants.sealed_flow_names(self._tenant))
        for flow_id in flow_ids & self._sealed.keys():
            sealed = self._sealed.pop(flow_id)  # what does not open is not tried again
            with suppress(KeyVaultFailedError):
                place = flow_name_place(self._tenant, flow_id)
                self.known[flow_id] = (await self._vault.open(place, sealed)).decode()
