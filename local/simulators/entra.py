"""Microsoft Entra ID: metadata, signing keys, the token endpoint, and tokens made to order."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.control_requests import control_body, key_controls, refused
from local.simulators.entra_claims import User, access_token_v1, access_token_v2
from local.simulators.entra_metadata import (
    instance_discovery,
    key_v1,
    key_v2,
    metadata_v1,
    metadata_v2,
    tenant_named,
)
from local.simulators.entra_refusals import EntraRefusal, commanded, only_post, parameter_missing
from local.simulators.entra_token_endpoint import TokenEndpoint
from local.simulators.ledger import Handler, Ledger
from local.simulators.signing_keys import KeySet, SigningKey, overridden

_USER: Final = "5a2f80c4-1d6e-4b93-a7f8-e90c3b716d24"  # whom a test does not name
_LIFE_SECONDS: Final = 3600
_CACHING: Final = {"Cache-Control": "max-age=86400, private"}
_NOT_STORED: Final = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}


class Entra:
    """`tokens` verifies the federated credential of the service; without it, none is accepted.
    `clock` gives Unix seconds."""

    name = "entra"
    hosts: tuple[str, ...] = (scene.ENTRA_HOST,)

    def __init__(self, *, clock: Callable[[], float], tokens: AzureTokens | None = None) -> None:
        self._clock = clock
        self._keys = KeySet("accounts.accesscontrol.windows.net")
        self._token_endpoint = TokenEndpoint(self._keys, tokens=tokens, clock=clock)
        self._ledger = Ledger()

    def reset(self) -> None:
        self._keys.reset()
        self._token_endpoint.reset()
        self._ledger.reset()

    def routes(self) -> Sequence[web.RouteDef]:
        answered: list[tuple[str, str, Handler]] = [
            ("GET", "/common/discovery/instance", self._answer_instance_discovery),
            ("GET", "/{tenant}/v2.0/.well-known/openid-configuration", self._answer_metadata_v2),
            ("GET", "/{tenant}/.well-known/openid-configuration", self._answer_metadata_v1),
            ("GET", "/{tenant}/discovery/v2.0/keys", self._answer_keys_v2),
            ("GET", "/{tenant}/discovery/keys", self._answer_keys_v1),
            ("*", "/{tenant}/oauth2/v2.0/token", self._answer_token),
        ]
        return [
            web.route(method, path, self._ledger.counting(self._refusing(handler)))
            for method, path, handler in answered
        ]

    def control(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/_sim/entra/token", self._make_token),
            web.post("/_sim/entra/obo", self._order_refusal),
            *key_controls("/_sim/entra", self._keys),
            self._ledger.control("/_sim/entra/ledger"),
        ]

    async def _answer_instance_discovery(self, request: web.Request) -> web.Response:
        for parameter in ("api-version", "authorization_endpoint"):
            if not request.query.get(parameter):
                raise parameter_missing(parameter)
        return web.json_response(
            instance_discovery(request.query["authorization_endpoint"]), headers=_CACHING
        )

    async def _answer_metadata_v2(self, request: web.Request) -> web.Response:
        return web.json_response(metadata_v2(_tenant(request)), headers=_CACHING)

    async def _answer_metadata_v1(self, request: web.Request) -> web.Response:
        return web.json_response(metadata_v1(_tenant(request)), headers=_CACHING)

    async def _answer_keys_v2(self, request: web.Request) -> web.Response:
        tenant = _tenant(request)
        return self._key_set([key_v2(key, tenant) for key in self._keys.published()])

    async def _answer_keys_v1(self, request: web.Request) -> web.Response:
        _tenant(request)
        return self._key_set([key_v1(key) for key in self._keys.published()])

    def _key_set(self, members: Sequence[object]) -> web.Response:
        return web.json_response({"keys": [*members, *self._keys.extra]}, headers=_CACHING)

    async def _answer_token(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            raise only_post(request.method)
        tenant = _tenant(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        return web.json_response(self._token_endpoint.answer(tenant, form), headers=_NOT_STORED)

    def _refusing(self, handler: Handler) -> Handler:
        """Turns an `EntraRefusal` into the JSON answer that Entra gives."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except EntraRefusal as refusal:
                correlation_id = request.headers.get("client-request-id") or str(uuid.uuid4())
                return web.json_response(
                    refusal.body(now=self._clock(), correlation_id=correlation_id),
                    status=refusal.status,
                    headers=_NOT_STORED,
                )

        return answer

    async def _make_token(self, request: web.Request) -> web.Response:
        body = await control_body(request, "tid", "oid", "overrides", "header", "key", "version")
        user = User(tid=str(body.get("tid", scene.ENTRA_TENANT)), oid=str(body.get("oid", _USER)))
        try:
            key = self._keys.named(body.get("key", "current"))
            header, claims = self._token_parts(user, key, body.get("version", "2.0"))
            token = key.sign(
                overridden(header, body.get("header", {})),
                overridden(claims, body.get("overrides", {})),
            )
        except (ValueError, TypeError) as exc:
            raise refused(str(exc)) from exc
        return web.json_response({"token": token})

    def _token_parts(
        self, user: User, key: SigningKey, version: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        header = {"typ": "JWT", "alg": "RS256", "kid": key.x5t}
        now = int(self._clock())
        match version:
            case "2.0":
                return header, access_token_v2(user, now=now, life=_LIFE_SECONDS)
            case "1.0":
                claims = access_token_v1(user, now=now, life=_LIFE_SECONDS)
                return {**header, "x5t": key.x5t}, claims
            case _:
                raise ValueError('version must be "1.0" or "2.0"')

    async def _order_refusal(self, request: web.Request) -> web.Response:
        body = await control_body(request, "error", "claims", "suberror", "error_codes", "times")
        if not body:
            self._token_endpoint.order_refusal(None, 0)
            return web.json_response({"ordered": 0})
        if not isinstance(body.get("error"), str):
            raise refused("error is required")
        refusal = commanded(
            body["error"],
            suberror=body.get("suberror"),
            claims=body.get("claims"),
            codes=body.get("error_codes", []),
        )
        times = int(body.get("times", 1))
        self._token_endpoint.order_refusal(refusal, times)
        return web.json_response({"ordered": times})


def _tenant(request: web.Request) -> str:
    return tenant_named(request.match_info["tenant"])
