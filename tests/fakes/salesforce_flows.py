"""The Flows of Salesforce orgs in memory, and a ledger of what was received to run them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.errors import (
    FlowFailedError,
    InvalidRequestError,
    Json,
    NotFoundError,
    SalesforceForbiddenError,
    SalesforceLimitError,
)
from shared.flow_values import fitting
from shared.model import (
    Access,
    FlowDescription,
    FlowKind,
    FlowName,
    FlowResult,
    FlowSummary,
    FlowVariable,
    OrgId,
)
from tests.fakes.faults import Faults
from tests.fakes.salesforce_login import CONTOSO_ORG, FABRIKAM_ORG, FakeLogin

FAULT: Final = {
    "statusCode": "UNKNOWN_EXCEPTION",
    "message": "An error occurred when executing a flow interview.",
}


def variable(
    name: str,
    kind: str = "STRING",
    *,
    is_collection: bool = False,
    record_type: str | None = None,
    description: str | None = None,
) -> FlowVariable:
    return FlowVariable(
        name=name,
        type=kind,
        is_collection=is_collection,
        record_type=record_type,
        description=description,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeFlow:
    """A Flow as its builder left it. `users` limits who may see and run it."""

    name: str
    label: str = ""
    description: str | None = None
    kind: FlowKind = "autolaunched"
    inputs: tuple[FlowVariable, ...] = ()
    outputs: tuple[FlowVariable, ...] = ()
    behaviour: Literal["echo", "fault", "waiting"] = "echo"
    users: frozenset[str] | None = None


_SUBJECT: Final = (variable("subject"),)
_FLOWS: Final = (
    FakeFlow(
        name="Log_Email",
        label="Log Email",
        description="Logs an email",
        inputs=(variable("senderEmail"), variable("subject"), variable("recordId", "ID")),
        outputs=(variable("senderEmail"), variable("subject")),
    ),
    FakeFlow(name="ns__Sync_Contact", label="Sync Contact", inputs=(variable("age", "INTEGER"),)),
    FakeFlow(name="Always_Faults", label="Always Faults", inputs=_SUBJECT, behaviour="fault"),
    FakeFlow(name="Waits_For_Approval", label="Waits", inputs=_SUBJECT, behaviour="waiting"),
    FakeFlow(name="New_Lead_Screen", label="New Lead", kind="screen", inputs=_SUBJECT),
)


@dataclass(frozen=True, slots=True)
class Received:
    """One invocation as it arrived."""

    org: OrgId
    flow: FlowName
    inputs: Mapping[str, Json]


class FakeFlows:
    """Satisfies `ports.SalesforceFlows`. Access tokens are those of the `FakeLogin`."""

    def __init__(self, login: FakeLogin) -> None:
        self.faults = Faults()
        self.received: list[Received] = []
        self.without_calls: set[OrgId] = set()
        self._login = login
        self._flows: dict[OrgId, dict[str, FakeFlow]] = {CONTOSO_ORG: {}, FABRIKAM_ORG: {}}
        for flow in _FLOWS:
            self.put(flow)
        self.put(FakeFlow(name="Log_Call", label="Log Call"), FABRIKAM_ORG)

    def put(self, flow: FakeFlow, org: OrgId = CONTOSO_ORG) -> None:
        """Add or change a Flow of an org."""
        self._flows.setdefault(org, {})[flow.name] = flow

    def remove(self, name: str, org: OrgId = CONTOSO_ORG) -> None:
        del self._flows[org][name]

    def require_calls_left(self, org: OrgId) -> None:
        if org in self.without_calls:
            raise SalesforceLimitError(60)

    async def list(self, access: Access) -> Sequence[FlowSummary]:
        async with self.faults.call("list"):
            user = self._login.require_alive(access.token, access.instance_host)
            visible = [flow for flow in self._flows[access.org].values() if _may(user, flow)]
            return [
                FlowSummary(
                    name=FlowName.parse(flow.name),
                    label=flow.label or flow.name,
                    description=flow.description,
                    kind=flow.kind,
                    org=access.org,
                )
                for flow in sorted(visible, key=lambda flow: flow.kind)
            ]

    async def describe(self, access: Access, flow: FlowName) -> FlowDescription:
        async with self.faults.call("describe"):
            user = self._login.require_alive(access.token, access.instance_host)
            found = self._flows[access.org].get(flow)
            if found is None or not _may(user, found):
                raise NotFoundError
            return FlowDescription(
                name=flow,
                label=found.label or found.name,
                kind=found.kind,
                inputs=found.inputs,
                outputs=found.outputs,
            )

    async def invoke(
        self, access: Access, flow: FlowName, inputs: Mapping[str, Json]
    ) -> FlowResult:
        async with self.faults.call("invoke"):
            user = self._login.require_alive(access.token, access.instance_host)
            found = self._flows[access.org].get(flow)
            if found is None or found.kind == "screen":
                raise NotFoundError
            if not _may(user, found):
                raise SalesforceForbiddenError
            _require_fitting(found, inputs)
            self.received.append(Received(access.org, flow, dict(inputs)))
            await asyncio.sleep(0)
            if found.behaviour == "fault":
                raise FlowFailedError([FAULT])
            outputs = {given.name: inputs.get(given.name) for given in found.outputs}
            status: Literal["succeeded", "waiting"] = (
                "waiting" if found.behaviour == "waiting" else "succeeded"
            )
            return FlowResult(status=status, outputs=outputs)


def _require_fitting(flow: FakeFlow, inputs: Mapping[str, Json]) -> None:
    """Undeclared names and wrong types are refused before anything runs."""
    try:
        for name, value in inputs.items():
            (declared,) = [one for one in flow.inputs if one.name == name]
            fitting(value, declared)
    except ValueError:
        raise InvalidRequestError from None


def _may(user: str, flow: FakeFlow) -> bool:
    return flow.users is None or user in flow.users
