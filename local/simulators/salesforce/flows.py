"""/services/data/vNN.N/actions/custom/flow: list, describe, invoke.

Only active autolaunched Flows appear; screen Flows are neither listed nor invocable here
(https://developer.salesforce.com/docs/atlas.en-us.api_action.meta/api_action/actions_obj_flow.htm).
"""

import asyncio
from typing import Final

from aiohttp import web

from local.simulators.salesforce.answers import json_answer
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import RestError, not_found
from local.simulators.salesforce.interviews import fault, finished
from local.simulators.salesforce.invocation_body import read_inputs
from local.simulators.salesforce.orgs import Flow
from local.simulators.salesforce.rest import allow, version_path
from local.simulators.salesforce.sessions import Session, rest_session
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json, picklist_value

_ACTION_TYPES: Final = (
    "apex",
    "emailAlert",
    "flow",
    "quickAction",
    "sendNotification",
)
_STATUSES: Final = ("Created", "Started", "Finished", "Error", "Waiting")


class Flows:
    def __init__(self, state: State) -> None:
        self._state = state

    async def types(self, call: Call) -> web.Response:
        """GET .../actions/custom: the types of custom actions."""
        rest_session(self._state, call)
        allow(call, "GET")
        base = f"{version_path(call)}/actions/custom"
        return json_answer({name: f"{base}/{name}" for name in _ACTION_TYPES})

    async def list(self, call: Call) -> web.Response:
        """GET .../actions/custom/flow: what this user may call. There is no paging."""
        session = rest_session(self._state, call)
        allow(call, "GET")
        base = f"{version_path(call)}/actions/custom/flow"
        actions: list[Json] = [
            {
                "label": flow.label,
                "name": flow.name,
                "type": "FLOW",
                "url": f"{base}/{flow.name}",
            }
            for flow in session.org.flows.values()
            if flow.callable_by_rest and flow.visible_to(session.user)
        ]
        return json_answer({"actions": actions})

    async def one(self, call: Call) -> web.Response:
        """GET .../actions/custom/flow/{name} describes, POST invokes."""
        session = rest_session(self._state, call)
        allow(call, "GET", "POST")
        version_path(call)
        flow = session.org.flows.get(call.request.match_info["flow"])
        if call.method == "POST":
            return await self._invoke(call, session, flow)
        if flow is None or not flow.callable_by_rest or not flow.visible_to(session.user):
            raise not_found()
        return json_answer(_describe(flow))

    async def _invoke(self, call: Call, session: Session, flow: Flow | None) -> web.Response:
        if flow is None or not flow.callable_by_rest:
            name = call.request.match_info["flow"]
            raise RestError("NOT_FOUND", f"Invalid Action Type: {name}", 404)
        if not flow.visible_to(session.user):
            message = f"You do not have access to the flow {flow.name}"
            raise RestError("INSUFFICIENT_ACCESS", message, 403)
        inputs = read_inputs(call, flow)
        self._state.ledger.invocations += 1
        if flow.behaviour == "fault":
            call.entry.outcome = "flow_fault"
            return json_answer([fault(flow) for _ in inputs], flow.fault_status)
        if flow.delay:
            await asyncio.sleep(flow.delay)
        return json_answer([finished(session.org, flow, given) for given in inputs])


def _describe(flow: Flow) -> Json:
    statuses: list[Json] = [picklist_value(status) for status in _STATUSES]
    outputs: list[Json] = [
        *(variable.describe_output() for variable in flow.outputs),
        {
            "apexClass": None,
            "description": "Flow Interview Status",
            "label": "Flow__InterviewStatus",
            "maxOccurs": 1,
            "name": "Flow__InterviewStatus",
            "picklistValues": statuses,
            "sobjectType": None,
            "type": "PICKLIST",
        },
        {
            "apexClass": None,
            "description": "Flow Interview GUID",
            "label": "Flow__InterviewGuid",
            "maxOccurs": 1,
            "name": "Flow__InterviewGuid",
            "picklistValues": None,
            "sobjectType": None,
            "type": "STRING",
        },
    ]
    return {
        "actionOverrideAllowed": False,
        "allowsTransactionControl": False,
        "category": None,
        "configurationEditor": None,
        "description": flow.description,
        "genericTypes": [],
        "iconName": None,
        "inputs": [variable.describe_input() for variable in flow.inputs],
        "label": flow.label,
        "name": flow.name,
        "outputs": outputs,
        "standard": False,
        "targetEntityName": None,
        "type": "FLOW",
    }
