"""The Flows that a user can run, in one org or in all that are connected."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import FlowRunnerError, NotConnectedError
from shared.model import Caller, FlowSummary, OrgId
from shared.ports import ConnectionStore, SalesforceFlows
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFlows:
    connections: ConnectionStore
    access: OrgAccess
    flows: SalesforceFlows

    async def __call__(self, caller: Caller, org: OrgId | None) -> Sequence[FlowSummary]:
        """Raises NotConnectedError and what Salesforce raises.

        With several orgs, one that fails does not hide the others; if all fail, the first failure
        is told.
        """
        if org is not None:
            flows = await self.access.call(caller, org, self.flows.list)
        else:
            flows = await self._of_all(caller)
        event("flows_listed", tenant=caller.tenant, user=caller.user, count=len(flows))
        return flows

    async def _of_all(self, caller: Caller) -> Sequence[FlowSummary]:
        rows = await self.connections.of_user(caller.tenant, caller.user)
        if not rows:
            raise NotConnectedError
        answers = await asyncio.gather(
            *(self.access.call(caller, row.org, self.flows.list) for row in rows),
            return_exceptions=True,
        )
        failures = [a for a in answers if isinstance(a, BaseException)]
        unexpected = [f for f in failures if not isinstance(f, FlowRunnerError)]
        if unexpected or len(failures) == len(answers):
            raise (unexpected or failures)[0]
        return [flow for a in answers if not isinstance(a, BaseException) for flow in a]
