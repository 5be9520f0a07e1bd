"""The managed-identity endpoint of App Service, from which the service gets its Azure tokens.

Follows "REST endpoint reference" of
https://learn.microsoft.com/azure/app-service/overview-managed-identity: plain HTTP, because the
real one is too, and a header that a request forged from outside cannot carry.
"""

import hmac
import json
import uuid
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from local import scene
from local.simulators.azure_tokens import IDENTITY_CLIENT_ID, AzureTokens
from local.stack_info import IDENTITY_PATH

API_VERSION: Final = "2019-08-01"

# What this identity may ask for. Azure itself issues tokens for any resource that is registered
# in the directory; a service that asks for anything else here has a bug.
RESOURCES: Final = frozenset(
    {
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://monitor.azure.com",
        "api://AzureADTokenExchange",
    }
)
_PARAMETERS: Final = {"resource", "api-version", "client_id"}


class ManagedIdentity:
    """One system-assigned identity; `clock` gives Unix seconds."""

    name = "identity"
    hosts: tuple[str, ...] = ()

    def __init__(self, *, tokens: AzureTokens, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._clock = clock

    def public_key(self) -> rsa.RSAPublicKey:
        """Verifies the tokens that are given out here."""
        return self._tokens.public_key()

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get(IDENTITY_PATH, self._answer_token, allow_head=False)]

    def control(self) -> Sequence[web.RouteDef]:
        return []

    def reset(self) -> None:
        """Nothing is remembered here."""

    async def _answer_token(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(given.encode(), scene.IDENTITY_HEADER.encode()):
            return _refusal(HTTPStatus.UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or wrong.")
        fault = _fault(request)
        if fault is not None:
            return _refusal(HTTPStatus.BAD_REQUEST, fault)
        resource = request.query["resource"]
        token = self._tokens.issue(resource)
        # The endpoint repeats the token's own end, which a client cannot be trusted to compute.
        expires = jwt.decode(token, options={"verify_signature": False})["exp"]
        return web.json_response(
            {
                "access_token": token,
                "client_id": IDENTITY_CLIENT_ID,
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
            },
            headers={"Cache-Control": "no-store"},
        )


def _fault(request: web.Request) -> str | None:
    """What is wrong with the query, in the words of a person; None if nothing is."""
    query = request.query
    if len(query) != len(set(query)) or not set(query) <= _PARAMETERS:
        return f"Each of {', '.join(sorted(_PARAMETERS))} may be given once, and nothing else."
    if query.get("api-version") != API_VERSION:
        return f"The api-version must be {API_VERSION}."
    if query.get("resource", "").rstrip("/") not in RESOURCES:
        return "The resource is missing, or was not found in the directory."
    if query.get("client_id", IDENTITY_CLIENT_ID) != IDENTITY_CLIENT_ID:
        return "No managed identity was found for the specified client id."
    return None


def _refusal(status: HTTPStatus, message: str) -> web.Response:
    body = {"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())}
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")
