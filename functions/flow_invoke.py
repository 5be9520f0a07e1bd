"""Run a Flow with what it declares, once."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from typing import TYPE_CHECKING

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.flow_describe import flow_in_path
from functions.requests import caller_of, json_object, object_member, optional_text_member
from shared.errors import InvalidRequestError

if TYPE_CHECKING:
    from shared.services import Services
    from shared.usecases.invoke_flow import Invocation

_LONGEST_KEY = 128


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/flows/{flow}/runs", methods=["POST"])
    @guarded(services)
    async def flow_invoke(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        asked = _invocation(req)

        run, result = await services.invoke_flow(caller, asked)

        return json_response({"run_id": run.id, "status": result.status, "outputs": result.outputs})

    return bp


def _invocation(req: func.HttpRequest) -> "Invocation":
    from shared.model import OrgId
    from shared.usecases.invoke_flow import Invocation

    body = json_object(req, allowed=("org_id", "email", "inputs"))
    org = optional_text_member(body, "org_id")
    return Invocation(
        flow=flow_in_path(req),
        org=None if org is None else OrgId.parse(org),
        email=object_member(body, "email"),
        inputs=object_member(body, "inputs"),
        idempotency_key=_idempotency_key(req),
    )


def _idempotency_key(req: func.HttpRequest) -> str | None:
    """1 to 128 printable ASCII characters. Raises InvalidRequestError."""
    key = req.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidRequestError
    return str(key)
