"""Azure Key Vault: the challenge, what stands in the vault at start, and its controls."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt
from aiohttp import web

from local import scene
from local.simulators.azure_tokens import ISSUER, AzureTokens
from local.simulators.control_requests import control_body, refused
from local.simulators.key_vault_at_start import VaultAtStart
from local.simulators.key_vault_keys import Keys, VaultKey
from local.simulators.key_vault_refusals import VaultRefusal, bad_parameter, unauthorized
from local.simulators.key_vault_secrets import Secret, Secrets
from local.simulators.ledger import Handler, Ledger

RESOURCE: Final = "https://vault.azure.net"

_CHALLENGE: Final = (
    f'Bearer authorization="https://{scene.ENTRA_HOST}/{scene.KEY_VAULT_TENANT}", '
    f'resource="{RESOURCE}"'
)
_API_VERSIONS: Final = (
    "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01",
)  # fmt: skip


class KeyVault:
    """`tokens` tells whose bearer tokens are good. `clock` gives Unix seconds. `at_start` is what
    stands in the vault; by default it is made anew."""

    name = "keyvault"
    hosts: tuple[str, ...] = (scene.KEY_VAULT_HOST,)

    def __init__(
        self,
        tokens: AzureTokens,
        clock: Callable[[], float],
        at_start: VaultAtStart | None = None,
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._ledger = Ledger()
        self._secrets = Secrets(clock)
        self._keys = Keys(clock)
        self._at_start = at_start or VaultAtStart.made()
        self.reset()

    def reset(self) -> None:
        """As after start, down to the versions, which clients may have cached."""
        self._ledger.reset()
        self._secrets.shelf.clear()
        for secret in self._at_start.secrets:
            self._secrets.shelf.add(secret.name, Secret(secret.value), version=secret.version)
        self._keys.shelf.clear()
        for key in self._at_start.keys:
            material = VaultKey(key.private, key.operations)
            self._keys.shelf.add(key.name, material, version=key.version)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.route(method, path, self._guarded(handler))
            for method, path, handler in (
                *self._secrets.routes(),
                *self._keys.routes(),
                ("*", "/{path:.*}", _not_served),
            )
        ]

    def control(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/_sim/keyvault/secrets", self._add_secret),
            web.post("/_sim/keyvault/keys/rotate", self._rotate_key),
            web.post("/_sim/keyvault/keys/disable", self._switching(enabled=False)),
            web.post("/_sim/keyvault/keys/enable", self._switching(enabled=True)),
            self._ledger.control("/_sim/keyvault/ledger"),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        """First the challenge, then `api-version`, then the handler; only what passes the
        challenge counts in the ledger."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._authorise(request)
                self._ledger.count(request)
                _check_api_version(request)
                return await handler(request)
            except VaultRefusal as refusal:
                response = refusal.response()
                if refusal.status == web.HTTPUnauthorized.status_code:
                    response.headers["WWW-Authenticate"] = _CHALLENGE
                return response

        return answer

    def _authorise(self, request: web.Request) -> None:
        """Raises `VaultRefusal` 401, with which the challenge goes out."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not token:
            raise unauthorized("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            self._tokens.verify(token, RESOURCE)
        except ValueError as exc:
            raise unauthorized(_why_refused(token)) from exc

    async def _add_secret(self, request: web.Request) -> web.Response:
        body = await control_body(request, "name", "value")
        name, value = body.get("name"), body.get("value")
        if not isinstance(name, str) or not isinstance(value, str):
            raise refused("name and value are required")
        try:
            added = self._secrets.shelf.add(name, Secret(value))
        except VaultRefusal as refusal:
            raise refused(str(refusal)) from refusal
        return web.json_response({"id": added.identifier})

    async def _rotate_key(self, request: web.Request) -> web.Response:
        body = await control_body(request, "name")
        try:
            added = await self._keys.rotate(str(body.get("name")))
        except VaultRefusal as refusal:
            raise refused(str(refusal)) from refusal
        return web.json_response({"kid": added.identifier})

    def _switching(self, *, enabled: bool) -> Handler:
        async def switch(request: web.Request) -> web.Response:
            body = await control_body(request, "name", "version")
            try:
                key = self._keys.shelf.get(str(body.get("name")), body.get("version") or "")
            except VaultRefusal as refusal:
                raise refused(str(refusal)) from refusal
            key.attributes.update({"enabled": enabled}, int(self._clock()))
            return web.json_response({"kid": key.identifier, "enabled": enabled})

        return switch


async def _not_served(request: web.Request) -> web.StreamResponse:
    raise VaultRefusal(404, "NotFound", f"{request.method} {request.path} is not served.")


def _check_api_version(request: web.Request) -> None:
    version = request.query.get("api-version")
    if version is None:
        raise bad_parameter("The api-version query parameter must be specified.")
    if version not in _API_VERSIONS:
        raise bad_parameter(
            f"The specified version ({version}) is not recognized. Consider using the latest "
            f"supported version ({_API_VERSIONS[-1]})."
        )


def _why_refused(token: str) -> str:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return "AKV10015: The bearer token is malformed."
    if str(claims.get("aud")).rstrip("/") != RESOURCE:
        return f"AKV10022: Invalid audience. Expected {RESOURCE}, found: {claims.get('aud')}."
    if claims.get("iss") != ISSUER:
        return f"AKV10032: Invalid issuer. Expected one of {ISSUER}, found {claims.get('iss')}."
    return "Error validating token: its signature or its lifetime is not valid."
