"""Sign in with a Microsoft or Google token, and sign out."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import bearer_token, caller_of, json_object, text_member
from shared.errors import InvalidRequestError

if TYPE_CHECKING:
    from shared.model import Provider
    from shared.services import Services
    from shared.usecases.sign_in import SignedIn

_LARGEST_BODY_BYTES: Final = 1_024
"""The one body that is read before anybody is known: reading a large one takes 50 ms of an
instance, and nobody could be told to ask less often."""


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/sso/exchange", methods=["POST"])
    @guarded(services)
    async def sso_exchange(req: func.HttpRequest) -> func.HttpResponse:
        token = bearer_token(req)
        body = json_object(req, allowed=("provider",), at_most=_LARGEST_BODY_BYTES)
        provider = _provider(text_member(body, "provider"))

        signed_in = await services.sign_in(provider, token)

        return json_response(_session(signed_in))

    @bp.route("v1/sso/session", methods=["DELETE"])
    @guarded(services)
    async def sso_sign_out(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)

        await services.sign_out(caller)

        return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT)

    return bp


def _provider(text: str) -> "Provider":
    match text:
        case "microsoft" | "google":
            return text
        case _:
            raise InvalidRequestError


def _session(signed_in: "SignedIn") -> dict[str, object]:
    from shared.usecases.sign_in import SESSION_LIFETIME

    caller = signed_in.caller
    connections = [{"org_id": c.org, "health": c.health.value} for c in signed_in.connections]
    return {
        "session_token": signed_in.session.reveal(),
        "token_type": "Bearer",
        "expires_in": int(SESSION_LIFETIME.total_seconds()),
        "user": {"id": caller.user, "provider": caller.provider, "is_admin": caller.is_admin},
        "tenant": {"id": caller.tenant, "region": signed_in.region},
        "salesforce": {"connected": bool(connections), "connections": connections},
    }
