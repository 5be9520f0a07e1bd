"""Being forgotten: request, confirm, status, receipt."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import bearer_token, caller_of, json_object, text_member
from shared.errors import InvalidRequestError, InvalidStateError, NotAuthenticatedError
from shared.secret import Secret

if TYPE_CHECKING:
    from shared.model import Deletion, DeletionScope, OneTimeCode
    from shared.services import Services

_PROMISE: Final = timedelta(hours=24)
_RECEIPT_TYPE: Final = "application/jose"  # RFC 7515, section 9.2.1


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/deletion-requests", methods=["POST"])
    @guarded(services)
    async def deletion_request(req: func.HttpRequest) -> func.HttpResponse:
        from shared.model import CONFIRMATION_LIFETIME

        caller = await caller_of(req, services)
        scope = _scope(text_member(json_object(req, allowed=("scope",)), "scope"))

        asked = await services.request_deletion(caller, scope)

        requests = f"{services.settings.public_base_url}/v1/deletion-requests"
        answer = {
            **_state(asked.deletion),
            "confirmation_code": asked.confirmation_code.reveal(),
            "status_token": asked.status_token.reveal(),
            "status_url": f"{requests}/{asked.deletion.id}",
            "expires_in": int(CONFIRMATION_LIFETIME.total_seconds()),
        }
        return json_response(answer, HTTPStatus.CREATED)

    @bp.route("v1/deletion-requests/{id}/confirm", methods=["POST"])
    @guarded(services)
    async def deletion_confirm(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        body = json_object(req, allowed=("confirmation_code",))
        code = Secret(text_member(body, "confirmation_code"))

        deletion = await services.confirm_deletion(caller, req.route_params.get("id", ""), code)

        return json_response(_state(deletion), HTTPStatus.ACCEPTED)

    @bp.route("v1/deletion-requests/{id}", methods=["GET"])
    @guarded(services)
    async def deletion_status(req: func.HttpRequest) -> func.HttpResponse:
        token = _status_token(req)

        deletion = await services.read_deletion(token, req.route_params.get("id", ""))

        return json_response(_state(deletion))

    @bp.route("v1/deletion-requests/{id}/receipt", methods=["GET"])
    @guarded(services)
    async def deletion_receipt(req: func.HttpRequest) -> func.HttpResponse:
        token = _status_token(req)

        receipt = await services.read_deletion.receipt(token, req.route_params.get("id", ""))

        return func.HttpResponse(receipt.encode(), mimetype=_RECEIPT_TYPE)

    return bp


def _scope(text: str) -> "DeletionScope":
    from shared.model import DeletionScope

    try:
        return DeletionScope(text)
    except ValueError:
        raise InvalidRequestError from None


def _status_token(req: func.HttpRequest) -> "OneTimeCode":
    """The token of the request's answer: no session is needed, for the account may be gone."""
    from shared.model import OneTimeCode

    try:
        return OneTimeCode.parse(bearer_token(req).reveal())
    except InvalidStateError:
        raise NotAuthenticatedError from None


def _state(deletion: "Deletion") -> dict[str, object]:
    """Where it stands. `due_at` is the promise: 24 hours after the confirmation."""
    from shared.model import DeletionState, rfc3339

    confirmed_at = deletion.times.get(DeletionState.CONFIRMED)
    return {
        "id": deletion.id,
        "scope": deletion.scope.value,
        "state": deletion.state.value,
        "due_at": None if confirmed_at is None else rfc3339(confirmed_at + _PROMISE),
        "steps": [
            {"state": state.value, "at": rfc3339(deletion.at(state))}
            for state in DeletionState
            if state in deletion.times
        ],
        "rows": dict(deletion.rows),
        "revocations": dict(deletion.revocations),
    }
