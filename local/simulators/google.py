"""Google as an identity provider: discovery, signing keys, ID tokens, tokeninfo.

Follows https://developers.google.com/identity/openid-connect/openid-connect.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt
from aiohttp import web

from local import scene
from local.simulators.control_requests import control_body, key_controls, refused
from local.simulators.ledger import Handler, Ledger
from local.simulators.signing_keys import KeySet, SigningKey, overridden

_ACCOUNTS, _APIS, _OAUTH = scene.GOOGLE_HOSTS
_ISSUER: Final = f"https://{_ACCOUNTS}"
_SUBJECT: Final = "107691503500061507151"  # of the user whom a test does not name
_LIFE_SECONDS: Final = 3600
_KEYS_MAX_AGE_SECONDS: Final = 19_800  # five and a half hours; the real one varies below seven
_CACHING: Final = {
    "Cache-Control": f"public, max-age={_KEYS_MAX_AGE_SECONDS}, must-revalidate, no-transform"
}

_DISCOVERY: Final = {
    "issuer": _ISSUER,
    "authorization_endpoint": f"https://{_ACCOUNTS}/o/oauth2/v2/auth",
    "device_authorization_endpoint": f"https://{_OAUTH}/device/code",
    "token_endpoint": f"https://{_OAUTH}/token",
    "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
    "revocation_endpoint": f"https://{_OAUTH}/revoke",
    "jwks_uri": f"https://{_APIS}/oauth2/v3/certs",
    "response_types_supported": [
        "code", "token", "id_token", "code token", "code id_token", "token id_token",
        "code token id_token", "none",
    ],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "scopes_supported": ["openid", "email", "profile"],
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "claims_supported": [
        "aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss",
        "name", "picture", "sub",
    ],
    "code_challenge_methods_supported": ["plain", "S256"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
}  # fmt: skip


class Google:
    """`clock` gives Unix seconds."""

    name = "google"
    hosts: tuple[str, ...] = scene.GOOGLE_HOSTS

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys = KeySet("federated-signon.system.gserviceaccount.com")
        self._ledger = Ledger()

    def reset(self) -> None:
        self._keys.reset()
        self._ledger.reset()

    def routes(self) -> Sequence[web.RouteDef]:
        answered: list[tuple[str, str, Handler]] = [
            (_ACCOUNTS, "/.well-known/openid-configuration", self._answer_discovery),
            (_APIS, "/oauth2/v3/certs", self._answer_key_set),
            (_APIS, "/oauth2/v1/certs", self._answer_certificates),
            (_OAUTH, "/tokeninfo", self._answer_token_info),
        ]
        return [
            web.get(path, self._ledger.counting(_only_on(host, handler)))
            for host, path, handler in answered
        ]

    def control(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/_sim/google/token", self._make_token),
            *key_controls("/_sim/google", self._keys),
            self._ledger.control("/_sim/google/ledger"),
        ]

    async def _answer_discovery(self, _request: web.Request) -> web.Response:
        return web.json_response(_DISCOVERY, headers={"Cache-Control": "public, max-age=3600"})

    async def _answer_key_set(self, _request: web.Request) -> web.Response:
        own: list[object] = [
            {**key.public_members(), "use": "sig", "alg": "RS256", "kid": _kid(key)}
            for key in self._keys.published()
        ]
        return web.json_response({"keys": own + self._keys.extra}, headers=_CACHING)

    async def _answer_certificates(self, _request: web.Request) -> web.Response:
        certificates = {_kid(key): key.pem for key in self._keys.published()}
        return web.json_response(certificates, headers=_CACHING)

    async def _answer_token_info(self, request: web.Request) -> web.Response:
        """All values are strings; a token that is not good is 400 `invalid_token`. No access
        token is ever issued here, so none is known."""
        if not {"id_token", "access_token"} & request.query.keys():
            return _oauth_error(
                "invalid_request", "Either access_token, id_token, or token_handle required"
            )
        try:
            header, claims = self._verified(request.query.get("id_token", ""))
        except jwt.InvalidTokenError:
            return _oauth_error("invalid_token", "Invalid Value")
        return web.json_response(
            {name: _as_text(value) for name, value in {**claims, **header}.items()},
            headers={"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate"},
        )

    def _verified(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of an unexpired ID token of ours; raises `jwt.InvalidTokenError`."""
        header = jwt.get_unverified_header(token)
        key = {_kid(key): key for key in self._keys.published()}.get(header.get("kid", ""))
        if key is None:
            raise jwt.InvalidTokenError("no such key")
        claims: dict[str, Any] = jwt.decode(
            token,
            key.private.public_key(),
            algorithms=["RS256"],
            issuer=[_ISSUER, _ACCOUNTS],
            options={
                "require": ["exp"],
                "verify_aud": False,  # tokeninfo tells the audience, it does not judge it
                "verify_exp": False,  # below, by our own clock
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        if not isinstance(claims["exp"], int) or claims["exp"] <= self._clock():
            raise jwt.ExpiredSignatureError("expired")
        return header, claims

    async def _make_token(self, request: web.Request) -> web.Response:
        body = await control_body(request, "hd", "sub", "overrides", "header", "key")
        try:
            key = self._keys.named(body.get("key", "current"))
            header = overridden(
                {"alg": "RS256", "kid": _kid(key), "typ": "JWT"}, body.get("header", {})
            )
            claims = self._claims(body.get("hd", scene.GOOGLE_DOMAIN), body.get("sub", _SUBJECT))
            token = key.sign(header, overridden(claims, body.get("overrides", {})))
        except (ValueError, TypeError) as exc:
            raise refused(str(exc)) from exc
        return web.json_response({"token": token})

    def _claims(self, domain: str | None, subject: str) -> dict[str, Any]:
        """An ID token of a Workspace user, or of a consumer account where `domain` is null."""
        now = int(self._clock())
        given, family = "Robin", f"Example {subject[-4:]}"
        return {
            "iss": _ISSUER,
            "azp": scene.GOOGLE_CLIENT_ID,
            "aud": scene.GOOGLE_CLIENT_ID,
            "sub": subject,
            **({} if domain is None else {"hd": domain}),
            "email": f"robin.{subject[-4:]}@{domain or 'example.com'}",
            "email_verified": True,
            "name": f"{given} {family}",
            "picture": "https://lh3.googleusercontent.com/a/example=s96-c",
            "given_name": given,
            "family_name": family,
            "iat": now,
            "exp": now + _LIFE_SECONDS,
            "jti": secrets.token_hex(20),
        }


def _kid(key: SigningKey) -> str:
    return key.thumbprint.hex()


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _oauth_error(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)


def _only_on(host: str, handler: Handler) -> Handler:
    """Google's hosts do not answer for one another."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.url.host != host:
            raise web.HTTPNotFound
        return await handler(request)

    return answer
