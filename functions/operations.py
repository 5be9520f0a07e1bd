"""What is not about a user: health, contract, keys, preflights, and what matches no route."""

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.routes import DOCUMENT, allowed_methods
from shared.errors import MethodNotAllowedError, NotFoundError

if TYPE_CHECKING:
    from shared.services import Services

_PUBLIC_DOCUMENT: Final = {"Cache-Control": "public, max-age=300"}
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match",
    "Access-Control-Max-Age": "600",
}


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/health", methods=["GET"])
    @guarded(services)
    async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - bound by the host
        return json_response({"status": "ok"})

    @bp.route("v1/openapi.json", methods=["GET"])
    @guarded(services)
    async def openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001
        return func.HttpResponse(_openapi(), mimetype="application/json", headers=_PUBLIC_DOCUMENT)

    @bp.route("v1/keys", methods=["GET"])
    @guarded(services)
    async def public_keys(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001
        key_set = await services.publish_keys()
        return json_response(
            key_set, headers=_PUBLIC_DOCUMENT, media_type="application/jwk-set+json"
        )

    @bp.route("{*path}", methods=["OPTIONS"])
    @guarded(services)
    async def cors_preflight(req: func.HttpRequest) -> func.HttpResponse:
        """Says what a browser may send; to whom, the boundary adds (Fetch, CORS protocol)."""
        is_ours = req.headers.get("Origin") in services.settings.addin_origins
        headers = _PREFLIGHT if is_ours else {}
        return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT, headers=dict(headers))

    @bp.route("{*path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    @guarded(services)
    async def unmatched(req: func.HttpRequest) -> func.HttpResponse:
        """The host's own 404 is an empty body; ours is a problem document, and knows 405."""
        methods = allowed_methods(req.route_params.get("path", ""))
        if methods:
            raise MethodNotAllowedError(methods)
        raise NotFoundError

    return bp


@cache
def _openapi() -> bytes:
    return DOCUMENT.read_bytes()
