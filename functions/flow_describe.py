"""The Flows that the caller can run, and what one of them takes, gives, and would receive."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import caller_of, query_text
from shared.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from shared.model import FlowDescription, FlowName, FlowSummary, FlowVariable, OrgId
    from shared.services import Services


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/flows", methods=["GET"])
    @guarded(services)
    async def flow_list(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        org = org_in_query(req)

        flows = await services.list_flows(caller, org)

        return json_response({"flows": [_summary(flow) for flow in flows]})

    @bp.route("v1/flows/{flow}", methods=["GET"])
    @guarded(services)
    async def flow_describe(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        flow, org = flow_in_path(req), org_in_query(req)

        description = await services.describe_flow(caller, org, flow)

        return json_response(_description(description))

    return bp


def flow_in_path(req: func.HttpRequest) -> "FlowName":
    """A name that cannot be one is answered like a Flow that is not there."""
    from shared.model import FlowName

    try:
        return FlowName.parse(req.route_params.get("flow", ""))
    except InvalidRequestError:
        raise NotFoundError from None


def org_in_query(req: func.HttpRequest) -> "OrgId | None":
    from shared.model import OrgId

    text = query_text(req, "org_id")
    return None if text is None else OrgId.parse(text)


def _summary(flow: "FlowSummary") -> dict[str, object]:
    return {
        "name": flow.name,
        "label": flow.label,
        "description": flow.description,
        "kind": flow.kind,
        "org_id": flow.org,
    }


def _description(flow: "FlowDescription") -> dict[str, object]:
    from shared.email_vocabulary import declared_fields

    return {
        "name": flow.name,
        "label": flow.label,
        "kind": flow.kind,
        "inputs": [_variable(variable) for variable in flow.inputs],
        "outputs": [_variable(variable) for variable in flow.outputs],
        "email_fields": list(declared_fields(flow)),
    }


def _variable(variable: "FlowVariable") -> dict[str, object]:
    return {
        "name": variable.name,
        "type": variable.type,
        "collection": variable.is_collection,
        "record_type": variable.record_type,
        "description": variable.description,
    }
