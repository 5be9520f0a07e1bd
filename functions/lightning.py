"""Screen Flows run in Salesforce's own frame: the address that opens it, once."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from typing import TYPE_CHECKING, Final

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.requests import caller_of, json_object, optional_text_member, text_member

if TYPE_CHECKING:
    from shared.services import Services

_LIFETIME_SECONDS: Final = 60
"""About what Salesforce gives such an address; it does not say so in its answer."""


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/lightning/session", methods=["POST"])
    @guarded(services)
    async def lightning_session(req: func.HttpRequest) -> func.HttpResponse:
        from shared.model import LightningAppId, OrgId

        caller = await caller_of(req, services)
        body = json_object(req, allowed=("org_id", "app_id"))
        app = LightningAppId.parse(text_member(body, "app_id"))
        org = optional_text_member(body, "org_id")

        address = await services.open_lightning(
            caller, None if org is None else OrgId.parse(org), app
        )

        return json_response({"frontdoor_url": address.reveal(), "expires_in": _LIFETIME_SECONDS})

    return bp
